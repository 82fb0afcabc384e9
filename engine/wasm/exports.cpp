// What the WASM build of the engine offers its embedder beside plans: memory, the tier it was built for, and a linear
// layer over a matrix in place, for a worker's check and measurement of the kernels. One instance belongs to one
// thread. Pointers and sizes are u32; a status is 0 or a number of engine/core/code.hpp.
#include <cstdlib>

#include "engine/kernels/linear.hpp"

namespace shoal::wasm {
namespace {

constexpr std::size_t kAlignment = 64;

}  // namespace

// Memory for `bytes`, aligned to 64, or 0 when there is none. Freed by shoal_free alone.
extern "C" __attribute__((export_name("shoal_alloc"))) void* shoal_alloc(std::size_t bytes) {
  if (bytes > SIZE_MAX - kAlignment) {
    return nullptr;
  }
  return std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
}

extern "C" __attribute__((export_name("shoal_free"))) void shoal_free(void* memory) { std::free(memory); }

// The number of the fastest tier, as in engine/kernels/tier.hpp.
extern "C" __attribute__((export_name("shoal_tier"))) std::uint32_t shoal_tier() {
  return static_cast<std::uint32_t>(kernels::best_tier());
}

// Bytes of an [n, k] matrix of the format named name[name_size], or 0 when there is no such format or matrix.
extern "C" __attribute__((export_name("shoal_matrix_bytes"))) std::size_t shoal_matrix_bytes(const char* name,
                                                                                             std::size_t name_size,
                                                                                             std::size_t n,
                                                                                             std::size_t k) {
  const auto format = formats::parse_format({name, name_size});
  const auto layout = format ? formats::layout_of(*format, n, k) : fail(format.error());
  return layout && layout->bytes <= SIZE_MAX ? static_cast<std::size_t>(layout->bytes) : 0;
}

// Bytes of working memory that shoal_linear needs for `rows` rows of k.
extern "C" __attribute__((export_name("shoal_linear_scratch"))) std::size_t shoal_linear_scratch(std::size_t rows,
                                                                                                 std::size_t k) {
  return kernels::int8_rows_bytes(rows, k);
}

// y[rows, n] = x[rows, k] * W^T, with int8 activations where the format prefers them.
extern "C" __attribute__((export_name("shoal_linear"))) std::uint32_t shoal_linear(
    const char* name, std::size_t name_size, std::size_t n, std::size_t k, const std::byte* weights,
    std::size_t weight_bytes, const float* x, std::size_t rows, std::byte* scratch, float* y) {
  const auto format = formats::parse_format({name, name_size});
  const auto matrix = format ? formats::matrix_view(*format, n, k, {weights, weight_bytes}) : fail(format.error());
  if (!matrix) {
    return static_cast<std::uint32_t>(matrix.error().code);
  }
  const kernels::Int8Rows int8 = kernels::int8_rows_at(scratch, rows, k);
  const bool use_int8 = kernels::prefers_int8(*format);
  if (use_int8) {
    kernels::quantize_rows(x, k, int8, 0, rows);
  }
  kernels::linear({.weight = *matrix,
                   .x = x,
                   .x_stride = k,
                   .rows = rows,
                   .int8 = use_int8 ? &int8 : nullptr,
                   .y = y,
                   .y_stride = n,
                   .n_end = n});
  return 0;
}

}  // namespace shoal::wasm
