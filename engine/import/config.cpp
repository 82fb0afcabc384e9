#include "engine/import/config.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace shoal::import {
namespace {

using Json = nlohmann::json;

constexpr double kMostCounted = 1U << 28;

// Nesting of brackets outside strings: known before the parser builds a tree of them.
std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') {
        ++at;
      } else {
        in_string = c != '"';
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == '}' || c == ']') && depth != 0) {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

Result<Config> Config::parse(std::string_view text) {
  if (text.size() > kMaxConfigBytes || depth_of(text) > kMaxConfigDepth) {
    return fail(Code::kInvalidArgument, "config: it is longer than " + std::to_string(kMaxConfigBytes) +
                                            " bytes or deeper than " + std::to_string(kMaxConfigDepth) + " levels");
  }
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    return fail(Code::kInvalidArgument, "config: it is no JSON object");
  }
  Config config;
  config.json_ = std::make_shared<const Json>(std::move(json));
  return config;
}

const Json* Config::find(std::string_view key) const {
  const Json* at = json_.get();
  while (true) {
    if (!at->is_object()) {
      return nullptr;
    }
    const std::size_t dot = key.find('.');
    const auto found = at->find(std::string(key.substr(0, dot)));
    if (found == at->end() || found->is_null()) {
      return nullptr;
    }
    at = &*found;
    if (dot == std::string_view::npos) {
      return at;
    }
    key.remove_prefix(dot + 1);
  }
}

bool Config::has(std::string_view key) const { return find(key) != nullptr; }

std::optional<double> Config::finite(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr || !value->is_number()) {
    refuse(key, "a number");
    return std::nullopt;
  }
  const auto number = value->get<double>();
  if (!std::isfinite(number)) {
    refuse(key, "a finite number");
    return std::nullopt;
  }
  return number;
}

std::uint32_t Config::count(std::string_view key) {
  const auto value = finite(key);
  if (!value || *value < 1 || *value > kMostCounted || *value != std::floor(*value)) {
    refuse(key, "a whole number from 1 to 2^28");
    return 1;
  }
  return static_cast<std::uint32_t>(*value);
}
std::uint32_t Config::count(std::string_view key, std::uint32_t otherwise) { return has(key) ? count(key) : otherwise; }

float Config::number(std::string_view key) { return static_cast<float>(finite(key).value_or(1)); }
float Config::number(std::string_view key, float otherwise) { return has(key) ? number(key) : otherwise; }

bool Config::flag(std::string_view key, bool otherwise) {
  const Json* value = find(key);
  if (value == nullptr) {
    return otherwise;
  }
  if (!value->is_boolean()) {
    refuse(key, "true or false");
    return otherwise;
  }
  return value->get<bool>();
}

std::string Config::text(std::string_view key, std::string_view otherwise) {
  const Json* value = find(key);
  if (value == nullptr) {
    return std::string(otherwise);
  }
  if (!value->is_string()) {
    refuse(key, "a text");
    return std::string(otherwise);
  }
  return value->get<std::string>();
}

std::vector<std::int32_t> Config::ids(std::string_view key) {
  const Json* value = find(key);
  std::vector<std::int32_t> out;
  if (value == nullptr) {
    return out;
  }
  const auto add = [&](const Json& one) {
    if (!one.is_number_integer() || one.get<double>() < 0 || one.get<double>() > kMostCounted) {
      refuse(key, "a token id or a list of them");
      return;
    }
    out.push_back(one.get<std::int32_t>());
  };
  if (value->is_array()) {
    std::for_each(value->begin(), value->end(), add);
  } else {
    add(*value);
  }
  return out;
}

std::vector<float> Config::numbers(std::string_view key) {
  const Json* value = find(key);
  std::vector<float> out;
  if (value == nullptr) {
    return out;
  }
  const bool are_numbers = value->is_array() && std::all_of(value->begin(), value->end(), [](const Json& one) {
                             return one.is_number() && std::isfinite(one.get<double>());
                           });
  if (!are_numbers) {
    refuse(key, "a list of finite numbers");
    return out;
  }
  for (const Json& one : *value) {
    out.push_back(one.get<float>());
  }
  return out;
}

std::vector<std::string> Config::words(std::string_view key) {
  const Json* value = find(key);
  std::vector<std::string> out;
  if (value == nullptr) {
    return out;
  }
  const bool are_words =
      value->is_array() && std::all_of(value->begin(), value->end(), [](const Json& one) { return one.is_string(); });
  if (!are_words) {
    refuse(key, "a list of texts");
    return out;
  }
  for (const Json& one : *value) {
    out.push_back(one.get<std::string>());
  }
  return out;
}

void Config::refuse(std::string_view key, std::string_view expected) {
  if (!error_) {
    const std::string name(key);
    error_ =
        Error{Code::kInvalidArgument,
              "config: '" + name + "' is " + (has(key) ? "not " : "missing, expected ") + std::string(expected), name};
  }
}

Status Config::status() const {
  if (error_) {
    return fail(*error_);
  }
  return {};
}

}  // namespace shoal::import
