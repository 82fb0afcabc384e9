// GGUF files that a test writes, piece by piece in the order of the grammar.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/import/gguf/gguf.hpp"

namespace shoal::test {

struct GgufWriter {
  std::string bytes;

  static GgufWriter header(std::uint64_t tensors, std::uint64_t values, std::uint32_t version = 3) {
    GgufWriter writer;
    writer.bytes = "GGUF";
    return writer.put(version).put(tensors).put(values);
  }

  template <class T>
  GgufWriter& put(T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
    return *this;
  }
  GgufWriter& text(std::string_view value) {
    put(std::uint64_t{value.size()});
    bytes += value;
    return *this;
  }
  GgufWriter& key(std::string_view name, std::uint32_t type) { return text(name).put(type); }
  GgufWriter& words(std::string_view name, const std::vector<std::string>& values) {
    key(name, 9).put(std::uint32_t{8}).put(std::uint64_t{values.size()});
    for (const std::string& value : values) {
      text(value);
    }
    return *this;
  }
  GgufWriter& tensor(std::string_view name, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                     std::uint64_t offset) {
    text(name).put(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) {
      put(dim);
    }
    return put(type).put(offset);
  }
  GgufWriter& data(std::size_t count) {
    bytes.resize((bytes.size() + 31) / 32 * 32 + count);
    return *this;
  }
  [[nodiscard]] Result<import::Gguf> parse() const { return import::parse_gguf(as_bytes(bytes), bytes.size()); }
};

}  // namespace shoal::test
