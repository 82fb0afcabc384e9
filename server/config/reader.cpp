#include "server/config/reader.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace shoal::config {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

Status apply(const Setting& setting, std::string_view where, std::string_view text) {
  Status status = setting.apply(text);
  if (!status) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}", where, status.error().message), setting.name);
  }
  return {};
}

// The keys that exist, for the message of an unknown one: those of its section, else the sections.
std::string known_keys(const Schema& schema, std::string_view section) {
  std::set<std::string> names;
  std::set<std::string> sections;
  for (const Setting& setting : schema.settings()) {
    const std::size_t dot = setting.name.find('.');
    sections.insert(setting.name.substr(0, dot));
    if (setting.name.substr(0, dot) == section) {
      names.insert(setting.name.substr(dot + 1));
    }
  }
  std::string list;
  for (const std::string& name : names.empty() ? sections : names) {
    list += (list.empty() ? "" : ", ") + name;
  }
  return list;
}

// A map, and what is below it, as JSON. A plain scalar is the number or the truth value that it looks like.
nlohmann::json json_of(const YAML::Node& node) {
  nlohmann::json json;
  if (node.IsMap()) {
    json = nlohmann::json::object();
    for (const auto& entry : node) {
      json[entry.first.as<std::string>()] = json_of(entry.second);
    }
  } else if (node.IsSequence()) {
    json = nlohmann::json::array();
    for (const YAML::Node& item : node) {
      json.push_back(json_of(item));
    }
  } else if (node.IsScalar()) {
    json = node.as<std::string>();
    const bool is_quoted = node.Tag() == "!";
    const nlohmann::json plain = nlohmann::json::parse(node.as<std::string>(), nullptr, false);
    if (!is_quoted && (plain.is_boolean() || plain.is_number())) {
      json = plain;
    }
  }
  return json;
}

// A scalar as it is; a list of scalars joined by ','; a list of maps as "key=value,..." joined by ';', a map in it as
// JSON.
Result<std::string> text_of(const YAML::Node& node) {
  if (node.IsScalar()) {
    return node.as<std::string>();
  }
  std::string text;
  if (node.IsSequence()) {
    for (const YAML::Node& item : node) {
      std::string part;
      if (item.IsScalar()) {
        text += (text.empty() ? "" : ",") + item.as<std::string>();
        continue;
      }
      if (!item.IsMap()) {
        return fail(Code::kInvalidArgument, "a list holds scalars or maps");
      }
      for (const auto& entry : item) {
        std::string value;
        if (entry.second.IsSequence()) {
          for (const YAML::Node& element : entry.second) {
            value += (value.empty() ? "" : "+") + element.as<std::string>();
          }
        } else {
          value = entry.second.IsMap() ? json_of(entry.second).dump() : entry.second.as<std::string>();
        }
        part += fmt::format("{}{}={}", part.empty() ? "" : ",", entry.first.as<std::string>(), value);
      }
      text += (text.empty() ? "" : ";") + part;
    }
    return text;
  }
  return fail(Code::kInvalidArgument, "expected a value or a list");
}

Status read_section(const Schema& schema, const std::string& file, const std::string& section, const YAML::Node& keys) {
  if (!keys.IsMap()) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}: expected a section of keys", file, section), section);
  }
  for (const auto& entry : keys) {
    const std::string name = section + "." + entry.first.as<std::string>();
    const Setting* setting = schema.find(name);
    if (setting == nullptr) {
      return fail(Code::kInvalidArgument,
                  fmt::format("{}: {}: unknown key; allowed here: {}", file, name, known_keys(schema, section)), name);
    }
    const auto text = text_of(entry.second);
    if (!text) {
      return fail(Code::kInvalidArgument, fmt::format("{}: {}: {}", file, name, text.error().message), name);
    }
    if (Status status = apply(*setting, fmt::format("{}: {}", file, name), *text); !status) {
      return status;
    }
  }
  return {};
}

Status read_file(const Schema& schema, const std::string& file, const std::string& text) {
  if (text.size() > kMaxFileBytes) {
    return fail(Code::kInvalidArgument, fmt::format("{}: larger than {} bytes", file, kMaxFileBytes));
  }
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsNull()) {
      return {};
    }
    if (!root.IsMap()) {
      return fail(Code::kInvalidArgument, fmt::format("{}: expected sections of keys", file));
    }
    for (const auto& entry : root) {
      if (Status status = read_section(schema, file, entry.first.as<std::string>(), entry.second); !status) {
        return status;
      }
    }
  } catch (const YAML::Exception& error) {
    return fail(Code::kInvalidArgument, fmt::format("{}:{}: {}", file, error.mark.line + 1, error.msg));
  }
  return {};
}

Status read_environment(const Schema& schema, const std::map<std::string, std::string>& environment) {
  const std::set<std::string> own = {"SHOAL_HOME", "SHOAL_FIXTURES", "SHOAL_CONFIG", "SHOAL_API_KEY"};
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("SHOAL_") || own.contains(name)) {
      continue;
    }
    const auto setting = std::ranges::find(schema.settings(), name, environment_of);
    if (setting == schema.settings().end()) {
      return fail(Code::kInvalidArgument, fmt::format("environment: {}: unknown setting; see shoal serve --help", name),
                  name);
    }
    if (Status status = apply(*setting, "environment: " + name, value); !status) {
      return status;
    }
  }
  return {};
}

}  // namespace

Status read(const Schema& schema, const Sources& sources) {
  for (const Setting& setting : schema.settings()) {
    if (!setting.fallback.empty()) {
      if (Status status = apply(setting, "default of " + setting.name, setting.fallback); !status) {
        return status;
      }
    }
  }
  if (!sources.file_name.empty()) {
    if (Status status = read_file(schema, sources.file_name, sources.file_text); !status) {
      return status;
    }
  }
  if (Status status = read_environment(schema, sources.environment); !status) {
    return status;
  }
  for (const auto& [name, text] : sources.flags) {
    const Setting* setting = schema.find(name);
    if (setting == nullptr) {
      return fail(Code::kInvalidArgument, fmt::format("flag for '{}': unknown setting", name), name);
    }
    if (Status status = apply(*setting, flag_of(*setting), text); !status) {
      return status;
    }
  }
  return {};
}

}  // namespace shoal::config
