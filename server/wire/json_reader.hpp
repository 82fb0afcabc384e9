// Pull reader of one JSON text from outside. Stricter than most (duplicate keys, invalid UTF-8, lone surrogates,
// nesting above max_depth are errors) and laxer in one thing: NaN, Infinity and -Infinity are numbers, as Python writes
// them. The first error sticks: from then on every call says "no more", and status() has the message with its byte
// offset. Memory grows with depth and with the keys of the open objects only. Pure; refers to the text.
//
//   if (reader.enter_object()) while (auto key = reader.next_key()) { ... read or skip one value ... }
//   if (reader.enter_array()) while (reader.next_element()) { ... read or skip one value ... }
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::wire {

class JsonReader {
 public:
  enum class Kind : std::uint8_t { kNull, kBool, kNumber, kString, kArray, kObject, kNone };
  static constexpr std::size_t kMaxDepth = 100;
  static constexpr std::size_t kMaxKeys = 1024;  // in one object

  explicit JsonReader(std::string_view text, std::size_t max_depth = kMaxDepth);

  // What the next value is; kNone at the end or after an error.
  Kind peek();

  bool enter_object();
  std::optional<std::string> next_key();
  bool enter_array();
  bool next_element();

  std::optional<bool> read_bool();
  std::optional<std::string> read_string();
  // The characters of a number, which obey JSON's grammar or are NaN, Infinity, -Infinity.
  std::optional<std::string_view> read_number();
  std::optional<std::int64_t> read_int64();
  bool read_null();
  // The characters of the next value, checked.
  std::optional<std::string_view> skip_value();

  // After the last value: kInvalidArgument when an error has happened or text is left over.
  Status finish();
  [[nodiscard]] bool ok() const { return !error_; }
  [[nodiscard]] Status status() const;
  // Makes `message` the error, unless there is one already.
  void refuse(std::string message);

 private:
  struct Frame {
    bool is_object;
    bool is_first = true;
    std::vector<std::string> keys;
  };
  void skip_space();
  bool take(char expected);
  bool take_word(std::string_view word);
  bool step(char close);
  bool read_escape(std::string& out);
  std::optional<std::uint32_t> read_hex4();

  std::string_view text_;
  std::size_t position_ = 0;
  std::size_t max_depth_;
  std::vector<Frame> frames_;
  std::optional<std::string> error_;
};

}  // namespace shoal::wire
