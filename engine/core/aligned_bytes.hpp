// Memory on a boundary that every vector unit likes. Running out of memory is an error and not an exception.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "engine/core/result.hpp"

namespace shoal {

inline constexpr std::size_t kMemoryAlignment = 64;

class AlignedBytes {
 public:
  AlignedBytes() = default;

  // Zeroed. kResourceLimit when there is not that much.
  static Result<AlignedBytes> make(std::uint64_t size) {
    auto out = make_unset(size);
    if (out && size > 0) {
      std::memset(out->data(), 0, (out->size() + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment);
    }
    return out;
  }

  // Not zeroed: for what is written before it is read. Pages that are never written cost nothing.
  static Result<AlignedBytes> make_unset(std::uint64_t size) {
    AlignedBytes out;
    if (size == 0) {
      return out;
    }
    const std::uint64_t rounded = (size + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment;
    void* memory = rounded < size || rounded > SIZE_MAX / 2
                       ? nullptr
                       : std::aligned_alloc(kMemoryAlignment, static_cast<std::size_t>(rounded));
    if (memory == nullptr) {
      return fail(Code::kResourceLimit, "there is no memory for " + std::to_string(size) + " bytes");
    }
    out.bytes_.reset(static_cast<std::byte*>(memory));
    out.size_ = static_cast<std::size_t>(size);
    return out;
  }

  [[nodiscard]] std::byte* data() const { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] float* floats() const { return reinterpret_cast<float*>(bytes_.get()); }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
  std::size_t size_ = 0;
};

}  // namespace shoal
