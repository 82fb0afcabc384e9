#include "server/config/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace shoal::config {

void Schema::add(Setting setting) { settings_.push_back(std::move(setting)); }

const Setting* Schema::find(std::string_view name) const {
  const auto found = std::ranges::find(settings_, name, &Setting::name);
  return found == settings_.end() ? nullptr : &*found;
}

std::string flag_of(const Setting& setting) {
  std::string flag = "--" + setting.name;
  std::ranges::replace_if(flag, [](char symbol) { return symbol == '.' || symbol == '_'; }, '-');
  return flag;
}

std::string environment_of(const Setting& setting) {
  std::string name = "SHOAL_" + setting.name;
  std::ranges::replace(name, '.', '_');
  std::ranges::transform(name, name.begin(),
                         [](unsigned char symbol) { return static_cast<char>(std::toupper(symbol)); });
  return name;
}

std::string reference(const Schema& schema) {
  std::string page = "| key | flag | environment | default | allowed | meaning |\n|---|---|---|---|---|---|\n";
  for (const Setting& setting : schema.settings()) {
    page +=
        fmt::format("| `{}` | `{}` | `{}` | {} | {} | {} |\n", setting.name, flag_of(setting), environment_of(setting),
                    setting.fallback.empty() ? "" : "`" + setting.fallback + "`", setting.allowed, setting.help);
  }
  return page;
}

}  // namespace shoal::config
