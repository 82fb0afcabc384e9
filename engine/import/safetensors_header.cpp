#include "engine/import/safetensors_header.hpp"

#include <nlohmann/json.hpp>

#include "engine/import/safetensors.hpp"

namespace shoal::import {
namespace {

// A SAX reader: the grammar is so small that each event either fits the current place or is an error.
class HeaderReader {
 public:
  using Json = nlohmann::json;

  bool start_object(std::size_t) {
    switch (place_) {
      case Place::kStart:
        place_ = Place::kTop;
        return true;
      case Place::kTensorName:
        return begin_entry();
      case Place::kMetadataName:
        place_ = Place::kMetadata;
        return true;
      default:
        return refuse("an object where none belongs");
    }
  }

  bool key(std::string& name) {
    if (place_ == Place::kTop) {
      if (name == "__metadata__") {
        place_ = Place::kMetadataName;
        return !has_metadata_ || refuse("'__metadata__' twice");
      }
      name_ = name;
      place_ = Place::kTensorName;
      return !header_.entries.contains(name) || refuse("tensor '" + name + "' twice");
    }
    if (place_ == Place::kMetadata) {
      name_ = name;
      place_ = Place::kMetadataValue;
      return !header_.metadata.contains(name) || refuse("metadata key '" + name + "' twice");
    }
    if (name == "dtype" && !has_dtype_) {
      place_ = Place::kDtype;
    } else if (name == "shape" && !has_shape_) {
      place_ = Place::kShapeName;
    } else if (name == "data_offsets" && !has_offsets_) {
      place_ = Place::kOffsetsName;
    } else {
      return refuse("unexpected key '" + name + "' in tensor '" + name_ + "'");
    }
    return true;
  }

  bool string(std::string& value) {
    if (place_ == Place::kDtype) {
      entry_.dtype = value;
      has_dtype_ = true;
      place_ = Place::kEntry;
      return true;
    }
    if (place_ == Place::kMetadataValue) {
      header_.metadata.emplace(name_, value);
      place_ = Place::kMetadata;
      return true;
    }
    return refuse("a string where none belongs");
  }

  bool start_array(std::size_t) {
    if (place_ == Place::kShapeName) {
      place_ = Place::kShape;
    } else if (place_ == Place::kOffsetsName) {
      place_ = Place::kOffsets;
    } else {
      return refuse("a list where none belongs");
    }
    return true;
  }

  bool number_unsigned(std::uint64_t value) {
    if (place_ == Place::kShape) {
      entry_.shape.push_back(value);
      return entry_.shape.size() <= kMaxSafetensorsRank || refuse("tensor '" + name_ + "' has too many dimensions");
    }
    if (place_ == Place::kOffsets && offset_count_ < 2) {
      (offset_count_ == 0 ? entry_.begin : entry_.end) = value;
      ++offset_count_;
      return true;
    }
    return refuse("a number where none belongs");
  }

  bool end_array() {
    if (place_ == Place::kOffsets) {
      has_offsets_ = true;
      place_ = Place::kEntry;
      return offset_count_ == 2 || refuse("'data_offsets' of tensor '" + name_ + "' needs two numbers");
    }
    has_shape_ = true;
    place_ = Place::kEntry;
    return true;
  }

  bool end_object() {
    if (place_ == Place::kEntry) {
      if (!has_dtype_ || !has_shape_ || !has_offsets_) {
        return refuse("tensor '" + name_ + "' lacks dtype, shape or data_offsets");
      }
      header_.entries.emplace(std::move(name_), std::move(entry_));
    } else if (place_ == Place::kMetadata) {
      has_metadata_ = true;
    }
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  bool null() { return refuse("a null where none belongs"); }
  bool boolean(bool) { return refuse("a boolean where none belongs"); }
  bool number_integer(std::int64_t) { return refuse("a negative number"); }
  bool number_float(double, const std::string&) { return refuse("a number that is not an integer"); }
  bool binary(Json::binary_t&) { return refuse("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) {
    return refuse("no JSON from byte " + std::to_string(position) + " on");
  }

  [[nodiscard]] bool is_complete() const { return place_ == Place::kEnd; }
  SafetensorsHeader take() { return std::move(header_); }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  enum class Place {
    kStart,
    kTop,
    kTensorName,
    kEntry,
    kDtype,
    kShapeName,
    kShape,
    kOffsetsName,
    kOffsets,
    kMetadataName,
    kMetadata,
    kMetadataValue,
    kEnd,
  };

  bool begin_entry() {
    entry_ = {};
    has_dtype_ = has_shape_ = has_offsets_ = false;
    offset_count_ = 0;
    place_ = Place::kEntry;
    return true;
  }

  bool refuse(std::string reason) {
    if (reason_.empty()) {
      reason_ = std::move(reason);
    }
    return false;
  }

  SafetensorsHeader header_;
  HeaderEntry entry_;
  std::string name_;
  std::string reason_;
  Place place_ = Place::kStart;
  int offset_count_ = 0;
  bool has_dtype_ = false;
  bool has_shape_ = false;
  bool has_offsets_ = false;
  bool has_metadata_ = false;
};

}  // namespace

Result<SafetensorsHeader> parse_safetensors_header(std::string_view json) {
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader) || !reader.is_complete()) {
    return fail(
        Code::kInvalidArgument,
        "safetensors header: " + (reader.reason().empty() ? std::string("it is not an object") : reader.reason()));
  }
  return reader.take();
}

}  // namespace shoal::import
