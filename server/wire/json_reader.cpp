#include "server/wire/json_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "server/wire/utf8.hpp"

namespace shoal::wire {
namespace {

bool is_digit(char character) { return character >= '0' && character <= '9'; }

// Length of the JSON number at the start of `text`, 0 when there is none.
std::size_t number_length(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t first = at;
    while (at < text.size() && is_digit(text[at])) {
      ++at;
    }
    return at > first;
  };
  if (at < text.size() && text[at] == '-') {
    ++at;
  }
  if (at < text.size() && text[at] == '0') {
    ++at;
  } else if (!digits()) {
    return 0;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (!digits()) {
      return 0;
    }
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
      ++at;
    }
    if (!digits()) {
      return 0;
    }
  }
  return at;
}

}  // namespace

JsonReader::JsonReader(std::string_view text, std::size_t max_depth) : text_(text), max_depth_(max_depth) {
  if (!is_utf8(text)) {
    refuse("the text is not UTF-8");
  }
}

void JsonReader::refuse(std::string message) {
  if (!error_) {
    error_ = fmt::format("{} at byte {}", message, position_);
  }
}

Status JsonReader::status() const {
  if (error_) {
    return fail(Code::kInvalidArgument, fmt::format("failed to parse the request JSON: {}", *error_));
  }
  return {};
}

Status JsonReader::finish() {
  skip_space();
  if (position_ < text_.size()) {
    refuse("unexpected text after the value");
  }
  return status();
}

void JsonReader::skip_space() {
  while (position_ < text_.size()) {
    const char next = text_[position_];
    if (next != ' ' && next != '\n' && next != '\t' && next != '\r') {
      return;
    }
    ++position_;
  }
}

bool JsonReader::take(char expected) {
  skip_space();
  if (error_ || position_ >= text_.size() || text_[position_] != expected) {
    return false;
  }
  ++position_;
  return true;
}

bool JsonReader::take_word(std::string_view word) {
  skip_space();
  if (error_ || text_.substr(position_, word.size()) != word) {
    return false;
  }
  position_ += word.size();
  return true;
}

JsonReader::Kind JsonReader::peek() {
  skip_space();
  if (error_ || position_ >= text_.size()) {
    return Kind::kNone;
  }
  switch (text_[position_]) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
    case 'f':
      return Kind::kBool;
    case 'n':
      return Kind::kNull;
    default:
      return Kind::kNumber;
  }
}

bool JsonReader::enter_object() {
  if (!take('{')) {
    refuse("expected an object");
    return false;
  }
  if (frames_.size() >= max_depth_) {
    refuse(fmt::format("nesting is deeper than {}", max_depth_));
    return false;
  }
  frames_.push_back({.is_object = true, .is_first = true, .keys = {}});
  return true;
}

bool JsonReader::enter_array() {
  if (!take('[')) {
    refuse("expected an array");
    return false;
  }
  if (frames_.size() >= max_depth_) {
    refuse(fmt::format("nesting is deeper than {}", max_depth_));
    return false;
  }
  frames_.push_back({.is_object = false, .is_first = true, .keys = {}});
  return true;
}

// To the next member of the innermost container; false when it ends here, which leaves it.
bool JsonReader::step(char close) {
  if (error_ || frames_.empty()) {
    return false;
  }
  if (take(close)) {
    frames_.pop_back();
    return false;
  }
  Frame& frame = frames_.back();
  if (!frame.is_first && !take(',')) {
    refuse(fmt::format("expected ',' or '{}'", close));
    return false;
  }
  frame.is_first = false;
  return true;
}

bool JsonReader::next_element() { return step(']'); }

std::optional<std::string> JsonReader::next_key() {
  if (!step('}')) {
    return std::nullopt;
  }
  auto key = read_string();
  if (!key) {
    return std::nullopt;
  }
  std::vector<std::string>& keys = frames_.back().keys;
  if (std::ranges::find(keys, *key) != keys.end()) {
    refuse(fmt::format("duplicate key '{}'", *key));
    return std::nullopt;
  }
  if (keys.size() >= kMaxKeys) {
    refuse(fmt::format("an object has more than {} keys", kMaxKeys));
    return std::nullopt;
  }
  if (!take(':')) {
    refuse("expected ':'");
    return std::nullopt;
  }
  keys.push_back(*key);
  return key;
}

std::optional<bool> JsonReader::read_bool() {
  if (take_word("true")) {
    return true;
  }
  if (take_word("false")) {
    return false;
  }
  refuse("expected true or false");
  return std::nullopt;
}

bool JsonReader::read_null() {
  if (take_word("null")) {
    return true;
  }
  refuse("expected null");
  return false;
}

std::optional<std::string_view> JsonReader::read_number() {
  skip_space();
  const std::size_t sign = text_.substr(position_, 1) == "-" ? 1 : 0;
  if (position_ + sign < text_.size() && (text_[position_ + sign] == 'N' || text_[position_ + sign] == 'I')) {
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
      if (take_word(word)) {
        return text_.substr(position_ - word.size(), word.size());
      }
    }
  }
  const std::size_t length = error_ ? 0 : number_length(text_.substr(position_));
  if (length == 0) {
    refuse("expected a number");
    return std::nullopt;
  }
  position_ += length;
  return text_.substr(position_ - length, length);
}

std::optional<std::int64_t> JsonReader::read_int64() {
  const auto digits = read_number();
  if (!digits) {
    return std::nullopt;
  }
  std::int64_t value = 0;
  const auto end = std::from_chars(digits->data(), digits->data() + digits->size(), value);
  if (end.ec != std::errc{} || end.ptr != digits->data() + digits->size()) {
    refuse(fmt::format("expected an integer of 64 bits instead of {:.40}", *digits));
    return std::nullopt;
  }
  return value;
}

std::optional<std::string> JsonReader::read_string() {
  if (!take('"')) {
    refuse("expected a string");
    return std::nullopt;
  }
  std::string out;
  while (position_ < text_.size()) {
    const std::size_t run = position_;
    while (position_ < text_.size() && text_[position_] != '"' && text_[position_] != '\\' &&
           static_cast<unsigned char>(text_[position_]) >= 0x20) {
      ++position_;
    }
    out.append(text_, run, position_ - run);
    if (position_ >= text_.size()) {
      break;
    }
    const char next = text_[position_];
    if (next == '"') {
      ++position_;
      return out;
    }
    if (next != '\\') {
      refuse("a control character in a string");
      return std::nullopt;
    }
    ++position_;
    if (!read_escape(out)) {
      return std::nullopt;
    }
  }
  refuse("a string does not end");
  return std::nullopt;
}

std::optional<std::uint32_t> JsonReader::read_hex4() {
  if (text_.size() - position_ < 4) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  const char* first = text_.data() + position_;
  const auto end = std::from_chars(first, first + 4, value, 16);
  if (end.ec != std::errc{} || end.ptr != first + 4) {
    return std::nullopt;
  }
  position_ += 4;
  return value;
}

bool JsonReader::read_escape(std::string& out) {
  if (position_ >= text_.size()) {
    refuse("a string does not end");
    return false;
  }
  const char escape = text_[position_++];
  constexpr std::string_view kEscapes = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (const std::size_t which = kEscapes.find(escape); which != std::string_view::npos) {
    out.push_back(kMeanings[which]);
    return true;
  }
  const auto unit = escape == 'u' ? read_hex4() : std::nullopt;
  if (!unit) {
    refuse("an invalid escape in a string");
    return false;
  }
  char32_t code_point = *unit;
  if (*unit >= 0xD800 && *unit < 0xE000) {
    const bool is_paired = *unit < 0xDC00 && text_.substr(position_, 2) == "\\u";
    position_ += is_paired ? 2 : 0;
    const auto low = is_paired ? read_hex4() : std::nullopt;
    if (!low || *low < 0xDC00 || *low > 0xDFFF) {
      refuse("half a surrogate pair in a string");
      return false;
    }
    code_point = 0x10000 + ((*unit - 0xD800U) << 10) + (*low - 0xDC00U);
  }
  append_utf8(out, code_point);
  return true;
}

std::optional<std::string_view> JsonReader::skip_value() {
  skip_space();
  const std::size_t first = position_;
  const std::size_t outer = frames_.size();
  do {
    bool has_value = true;
    if (frames_.size() > outer) {
      has_value = frames_.back().is_object ? next_key().has_value() : next_element();
    }
    if (has_value) {
      switch (peek()) {
        case Kind::kNull:
          read_null();
          break;
        case Kind::kBool:
          read_bool();
          break;
        case Kind::kString:
          read_string();
          break;
        case Kind::kNumber:
          read_number();
          break;
        case Kind::kArray:
          enter_array();
          break;
        case Kind::kObject:
          enter_object();
          break;
        case Kind::kNone:
          refuse("a value is missing");
          break;
      }
    }
  } while (ok() && frames_.size() > outer);
  if (!ok()) {
    return std::nullopt;
  }
  return text_.substr(first, position_ - first);
}

}  // namespace shoal::wire
