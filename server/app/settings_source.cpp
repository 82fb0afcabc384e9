#include "server/app/settings_source.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

#include "server/config/reader.hpp"

extern char** environ;

namespace shoal::app {
namespace {

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) {
    return fail(Code::kNotFound, fmt::format("cannot read '{}'", path));
  }
  return text;
}

}  // namespace

Status SettingsSource::read(const config::Schema& schema) const {
  config::Sources sources{{}, {}, environment(), flags_};
  std::optional<std::string> name;
  if (!file_.empty()) {
    name = file_;
  } else if (const auto variable = sources.environment.find("SHOAL_CONFIG"); variable != sources.environment.end()) {
    name = variable->second;
  } else if (std::ifstream("shoal.yaml")) {
    name = "shoal.yaml";
  }
  if (name) {
    auto text = read_text(*name);
    if (!text) {
      return fail(std::move(text.error()));
    }
    sources.file_name = *name;
    sources.file_text = *std::move(text);
  }
  return config::read(schema, sources);
}

Result<std::map<std::string, std::string>> SettingsSource::read_texts(const config::Schema& schema) const {
  std::map<std::string, std::string> texts;
  config::Schema noting;
  for (config::Setting setting : schema.settings()) {
    setting.apply = [&texts, name = setting.name, apply = setting.apply](std::string_view text) {
      texts.insert_or_assign(name, std::string(text));
      return apply(text);
    };
    noting.add(std::move(setting));
  }
  if (Status status = read(noting); !status) {
    return fail(std::move(status.error()));
  }
  return texts;
}

}  // namespace shoal::app
