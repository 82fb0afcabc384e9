// Fields of a JSON document by name, each with its path ("variants[0].plan.bytes"). The first field that is not what
// was expected is kept; until the end every read answers something harmless.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"

namespace shoal::package {

// The document; null when it is no JSON or is nested deeper than 16 levels.
nlohmann::json parse_bounded(std::string_view text);

struct FieldErrors {
  std::optional<Error> first;
};

class Field {
 public:
  // Both outlive it.
  Field(const nlohmann::json& root, FieldErrors& errors) : value_(&root), errors_(&errors) {}

  // The member; one that is not there where this is no object.
  Field operator[](std::string_view name) const;
  [[nodiscard]] bool is_there() const { return value_ != nullptr; }

  // A text that is not empty; with `otherwise` it may be missing or empty.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string text(std::string_view otherwise) const;
  // A name of a file beside package.json: no slash, not hidden.
  [[nodiscard]] std::string file_name() const;
  // 64 lower-case hexadecimal digits.
  [[nodiscard]] std::string sha256() const;
  [[nodiscard]] std::uint64_t number(std::uint64_t least, std::uint64_t most) const;
  [[nodiscard]] double real(double otherwise) const;
  [[nodiscard]] bool flag(bool otherwise) const;

  // Calls body(Field) for each element of a list, none where it is not there.
  template <class Body>
  void each(std::size_t most, Body&& body) const {
    const std::size_t size = list_size(most);
    for (std::size_t index = 0; index < size; ++index) {
      body(element(index));
    }
  }

  void refuse(std::string_view expected) const;

 private:
  Field(const nlohmann::json* value, FieldErrors* errors, std::string path)
      : value_(value), errors_(errors), path_(std::move(path)) {}
  [[nodiscard]] std::size_t list_size(std::size_t most) const;
  [[nodiscard]] Field element(std::size_t index) const;

  const nlohmann::json* value_;
  FieldErrors* errors_;
  std::string path_;
};

}  // namespace shoal::package
