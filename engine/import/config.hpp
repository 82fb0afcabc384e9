// Reads a config.json by name and type. The first key that is missing or of another type is kept and reported by
// status(); until then every read answers something harmless, so that a reader of many keys stays short. Sub-objects
// are named by dots: "rope_scaling.factor".
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::import {

inline constexpr std::size_t kMaxConfigBytes = 4U << 20;
inline constexpr std::size_t kMaxConfigDepth = 32;

class Config {
 public:
  // kInvalidArgument when the text is no JSON object, too long or too deep.
  static Result<Config> parse(std::string_view text);

  // Whether the key is there and not null.
  [[nodiscard]] bool has(std::string_view key) const;

  // A number from 1 to 2^28: how many there are of something.
  std::uint32_t count(std::string_view key);
  std::uint32_t count(std::string_view key, std::uint32_t otherwise);
  float number(std::string_view key);
  float number(std::string_view key, float otherwise);
  bool flag(std::string_view key, bool otherwise);
  std::string text(std::string_view key, std::string_view otherwise);
  // One id or a list of ids, such as eos_token_id; empty when the key is not there.
  std::vector<std::int32_t> ids(std::string_view key);
  // A list of finite numbers; empty when the key is not there.
  std::vector<float> numbers(std::string_view key);
  // A list of words; empty when the key is not there.
  std::vector<std::string> words(std::string_view key);

  // Keeps a mistake that the reader found in the values.
  void refuse(std::string_view key, std::string_view expected);
  [[nodiscard]] Status status() const;

 private:
  [[nodiscard]] const nlohmann::json* find(std::string_view key) const;
  std::optional<double> finite(std::string_view key);

  std::shared_ptr<const nlohmann::json> json_;
  std::optional<Error> error_;
};

}  // namespace shoal::import
