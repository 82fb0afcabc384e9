#include "engine/package/field_reader.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace shoal::package {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxText = 4096;

}  // namespace

Json parse_bounded(std::string_view text) {
  bool is_too_deep = false;
  const auto bounded = [&is_too_deep](int depth, Json::parse_event_t, Json&) {
    is_too_deep = is_too_deep || depth > kMaxDepth;
    return !is_too_deep;  // what is deeper is dropped while it is read
  };
  Json json = Json::parse(text, bounded, false);
  return is_too_deep || json.is_discarded() ? Json() : json;
}

Field Field::operator[](std::string_view name) const {
  const Json* found = nullptr;
  if (value_ != nullptr && value_->is_object()) {
    const auto at = value_->find(std::string(name));
    found = at == value_->end() || at->is_null() ? nullptr : &*at;
  }
  return {found, errors_, path_.empty() ? std::string(name) : path_ + "." + std::string(name)};
}

std::string Field::text() const {
  if (value_ == nullptr || !value_->is_string() || value_->get_ref<const std::string&>().empty() ||
      value_->get_ref<const std::string&>().size() > kMaxText) {
    refuse("a text of 1 to 4096 bytes");
    return {};
  }
  return value_->get<std::string>();
}

std::string Field::text(std::string_view otherwise) const {
  const bool is_empty = value_ == nullptr || (value_->is_string() && value_->get_ref<const std::string&>().empty());
  return is_empty ? std::string(otherwise) : text();
}

std::string Field::file_name() const {
  std::string name = text();
  if (name.starts_with('.') || name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
    refuse("the name of a file");
    return {};
  }
  return name;
}

std::string Field::sha256() const {
  std::string digits = text();
  const auto is_hex = [](char letter) { return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f'); };
  if (digits.size() != 64 || !std::ranges::all_of(digits, is_hex)) {
    refuse("64 hexadecimal digits");
    return {};
  }
  return digits;
}

std::uint64_t Field::number(std::uint64_t least, std::uint64_t most) const {
  const bool is_fitting = value_ != nullptr && value_->is_number_unsigned() && value_->get<std::uint64_t>() >= least &&
                          value_->get<std::uint64_t>() <= most;
  if (!is_fitting) {
    refuse("a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return least;
  }
  return value_->get<std::uint64_t>();
}

double Field::real(double otherwise) const {
  if (value_ == nullptr) {
    return otherwise;
  }
  if (!value_->is_number() || !std::isfinite(value_->get<double>())) {
    refuse("a number");
    return otherwise;
  }
  return value_->get<double>();
}

bool Field::flag(bool otherwise) const {
  if (value_ != nullptr && !value_->is_boolean()) {
    refuse("true or false");
    return otherwise;
  }
  return value_ == nullptr ? otherwise : value_->get<bool>();
}

std::size_t Field::list_size(std::size_t most) const {
  if (value_ == nullptr) {
    return 0;
  }
  if (!value_->is_array() || value_->size() > most) {
    refuse("a list of at most " + std::to_string(most));
    return 0;
  }
  return value_->size();
}

Field Field::element(std::size_t index) const {
  return {&(*value_)[index], errors_, path_ + "[" + std::to_string(index) + "]"};
}

void Field::refuse(std::string_view expected) const {
  if (!errors_->first) {
    errors_->first = Error{Code::kInvalidArgument, path_ + ": expected " + std::string(expected), path_};
  }
}

}  // namespace shoal::package
