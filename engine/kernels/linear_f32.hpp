// linear() with f32 activations, as a template over a tier of simd.hpp. x is [rows, k]; a tile of W is a panel of
// columns, 16 rows of W beside each other, so that a lane is a row of W and no sum crosses lanes.
#pragma once

#include "engine/kernels/linear_panel.hpp"
#include "engine/kernels/linear_tiers.hpp"

namespace shoal::kernels {

template <class V>
struct LinearF32 {
  static constexpr int kVectors = static_cast<int>(formats::kTileRows) / V::kLanes;
  static constexpr std::size_t kTile = formats::kTileRows;
  // Rows of x that one pass over W serves; their totals lie on the stack.
  static constexpr std::size_t kRowsPerPass = 64;

  // total[m, 16] += the run's sum for M rows of x. Panel gives the run's elements of W by (element, vector).
  template <int M, class Panel>
  static void add_run(const Panel& panel, std::size_t count, const float* x, std::size_t x_stride, float* totals) {
    typename V::Floats run[M][kVectors];
    for (auto& row : run) {
      for (auto& vector : row) {
        vector = V::splat(0);
      }
    }
    panel.each(count, [&](std::size_t element, int vector, typename V::Floats weight) {
      for (int row = 0; row < M; ++row) {
        const auto value = V::splat(x[static_cast<std::size_t>(row) * x_stride + element]);
        run[row][vector] = V::multiply_add(weight, value, run[row][vector]);
      }
    });
    for (int row = 0; row < M; ++row) {
      for (int vector = 0; vector < kVectors; ++vector) {
        float* total = totals + row * static_cast<int>(kTile) + vector * V::kLanes;
        V::store(total, V::add(V::load(total), run[row][vector]));
      }
    }
  }

  template <class Panel>
  static void add_rows(const Panel& panel, std::size_t count, const float* x, std::size_t x_stride, std::size_t rows,
                       float* totals) {
    constexpr std::size_t kMost = V::kRowsAtOnce;
    std::size_t row = 0;
    for (; row + kMost <= rows; row += kMost) {
      add_run<V::kRowsAtOnce>(panel, count, x + row * x_stride, x_stride, totals + row * kTile);
    }
    for (; row < rows; ++row) {
      add_run<1>(panel, count, x + row * x_stride, x_stride, totals + row * kTile);
    }
  }

  static void tile(const LinearCall& call, std::size_t tile, std::size_t first_row, std::size_t rows, float* totals) {
    const formats::BlockMatrix& weight = call.weight;
    const float* x = call.x + first_row * call.x_stride;
    float scratch[kRun * kTile];
    for (std::size_t first = 0; first < weight.layout.k; first += kRun) {
      const std::size_t count = weight.layout.k - first < kRun ? weight.layout.k - first : kRun;
      if (weight.format.codes == formats::Codes::kF32) {
        add_rows(F32Panel<V>{weight.tile(tile) + first * kTile}, count, x + first, call.x_stride, rows, totals);
      } else if (weight.format.codes == formats::Codes::kF16 && rows < 2 * V::kRowsAtOnce) {
        add_rows(F16Panel<V>{weight.tile(tile) + first / 2 * kTile}, count, x + first, call.x_stride, rows, totals);
      } else {
        dequantize_panel<V>(weight, tile, first, count, scratch);
        add_rows(ScratchPanel<V>{scratch}, count, x + first, call.x_stride, rows, totals);
      }
    }
  }

  static void run(const LinearCall& call) {
    for (std::size_t row = 0; row < call.rows; row += kRowsPerPass) {
      const std::size_t rows = call.rows - row < kRowsPerPass ? call.rows - row : kRowsPerPass;
      for (std::size_t n = call.n_begin; n < call.n_end; n += kTile) {
        float totals[kRowsPerPass * kTile] = {};
        tile(call, n / kTile, row, rows, totals);
        store_tile<V>(call, n, row, rows, totals);
      }
    }
  }
};

}  // namespace shoal::kernels
