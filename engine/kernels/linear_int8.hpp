// linear() with int8 activations, as a template over a tier of simd.hpp. Within a step (a run of 32, or a block of 16)
// the products of codes and activations are summed as integers; scale and zero point are applied to the sum.
#pragma once

#include "engine/kernels/linear_panel.hpp"
#include "engine/kernels/linear_tiers.hpp"
#include "engine/kernels/linear_unpack.hpp"

namespace shoal::kernels {

template <class V, formats::Codes kCodes, bool kHalfRuns>
struct LinearInt8 {
  static constexpr int kVectors = 16 / V::kLanes;
  static constexpr std::size_t kTile = formats::kTileRows;
  static constexpr std::size_t kRowsPerPass = 64;
  // Steps of a run: blocks of 16 have two, with a scale each.
  static constexpr int kSteps = kHalfRuns ? 2 : 1;
  static constexpr bool kIsWide = kCodes == formats::Codes::kQ8;
  // Rows of x that are taken at once, and vectors of a tile: as many sums of both as stay in registers.
  static constexpr int kRows = kIsWide ? V::kWideRowsAtOnce : V::kInt8RowsAtOnce;
  template <int M>
  static constexpr int kGroup = kVectors * M <= V::kInt8SumsAtOnce ? kVectors : V::kInt8SumsAtOnce / M;
  using Floats = typename V::Floats;
  using Sum = std::conditional_t<kIsWide, typename V::Wide, typename V::Narrow>;
  using SumOnce = std::conditional_t<kIsWide, typename V::WideOnce, typename V::Narrow>;
  using Format = Unpack<V, kCodes>;

  // Scales of the tile, followed along k.
  struct Scales {
    const formats::BlockFormat& format;
    const std::byte* entries;
    std::size_t stride;
    std::size_t runs_per_block;
    TileScales<V> current[kSteps];

    void advance(std::size_t run, std::size_t steps) {
      if (kHalfRuns || run % runs_per_block == 0) {
        for (std::size_t step = 0; step < steps; ++step) {
          current[step].load(format, entries);
          entries += stride;
        }
      }
    }
  };

  static Scales scales_of(const formats::BlockMatrix& weight, std::size_t tile) {
    const std::size_t runs = weight.format.block / kRun;
    return {weight.format, weight.tile_scales(tile), 16 * formats::entry_bytes(weight.format), runs > 0 ? runs : 1, {}};
  }

  // total + what a step contributes, given the integer sum of its products.
  static Floats apply(Floats scale, Floats offset, bool is_min, Floats dot, Floats sum, Floats x_scale, Floats total) {
    const Floats moved = V::mul(offset, sum);
    return V::add(total, is_min ? V::mul(V::add(V::mul(scale, dot), moved), x_scale)
                                : V::mul(V::mul(scale, x_scale), V::sub(dot, moved)));
  }

  static float step_sum(const Int8Rows& x, std::size_t place, std::size_t step) {
    return kHalfRuns ? x.half_sums[2 * place + step] : x.sums[place];
  }

  // The steps of run `run` that lie within k.
  static std::size_t steps_of(const formats::BlockMatrix& weight, std::size_t run) {
    return kHalfRuns && weight.layout.k - run * kRun < kRun ? 1 : static_cast<std::size_t>(kSteps);
  }

  // One row of x: codes go from memory through a register into the sum.
  static void single(const LinearCall& call, std::size_t tile, std::size_t row, float* totals) {
    const formats::BlockMatrix& weight = call.weight;
    const std::size_t runs = run_count(weight.layout.k);
    const bool is_min = has_min(weight.format);
    const Int8Rows& x = *call.int8;
    const std::uint32_t* words = weight.tile(tile);
    Scales scales = scales_of(weight, tile);
    Floats total[kVectors];
    for (Floats& vector : total) {
      vector = V::splat(0);
    }
    for (std::size_t run = 0; run < runs; ++run, words += Format::kColumns * kTile) {
      const std::size_t place = x.place(row, run);
      const std::size_t steps = steps_of(weight, run);
      scales.advance(run, steps);
      SumOnce sums[kSteps][kVectors];
      Format::each(words, [&](int word, int vector, typename V::Words codes) {
        sums[word * kSteps / 8][vector].add(SumOnce::codes(codes), SumOnce::act(x.codes + place * kRun + 4 * word));
      });
      for (std::size_t step = 0; step < steps; ++step) {
        const Floats x_scale = V::splat(x.scales[place]);
        const Floats x_sum = V::splat(step_sum(x, place, step));
        for (int vector = 0; vector < kVectors; ++vector) {
          total[vector] = apply(scales.current[step].scale[vector], scales.current[step].offset[vector], is_min,
                                sums[step][vector].floats(), x_sum, x_scale, total[vector]);
        }
      }
    }
    for (int vector = 0; vector < kVectors; ++vector) {
      V::store(totals + vector * V::kLanes, total[vector]);
    }
  }

  using Codes = typename Sum::Codes;

  // What rows of x that lie beside each other have of a run.
  struct Act {
    const std::int8_t* codes;  // 32 of each row
    const float* scales;
    const float* sums;  // kSteps of each row
  };

  static Act act_of(const Int8Rows& x, std::size_t place) {
    return {x.codes + place * kRun, x.scales + place, kHalfRuns ? x.half_sums + 2 * place : x.sums + place};
  }

  // totals[M, 16] += a step of M rows of x against vectors [first, first + kGroup) of its codes. A word of each row at
  // a time, in a loop: a compiler that saw the whole step would load all of it into more registers than there are.
  template <int M, bool kIsMin>
  [[gnu::always_inline]] static void add_step(const Codes (*codes)[kVectors], const TileScales<V>& scales, int first,
                                              const std::int8_t* act, const float* x_scales, const float* x_sums,
                                              float* totals) {
    constexpr int kAtOnce = kGroup<M>;
    Sum sums[M][kAtOnce];
    const Codes* from = &(*codes)[first];
#pragma clang loop unroll(disable)
    for (int word = 0; word < 8 / kSteps; ++word) {
      from = V::opaque(from);
      act = V::opaque(act);
      for (int m = 0; m < M; ++m) {
        const auto values = Sum::act(act + m * static_cast<int>(kRun));
        for (int vector = 0; vector < kAtOnce; ++vector) {
          sums[m][vector].add(from[vector], values);
        }
      }
      from += kVectors;
      act += 4;
    }
    Floats scale[kAtOnce];
    Floats offset[kAtOnce];
    for (int vector = 0; vector < kAtOnce; ++vector) {
      scale[vector] = scales.scale[first + vector];
      offset[vector] = scales.offset[first + vector];
    }
    for (int m = 0; m < M; ++m) {
      const Floats x_scale = V::splat(x_scales[m]);
      const Floats x_sum = V::splat(x_sums[m * kSteps]);
      for (int vector = 0; vector < kAtOnce; ++vector) {
        float* total = totals + m * 16 + (first + vector) * V::kLanes;
        V::store(total, apply(scale[vector], offset[vector], kIsMin, sums[m][vector].floats(), x_sum, x_scale,
                              V::load(total)));
      }
    }
  }

  template <int M, bool kIsMin>
  static void add_run(const Codes (&codes)[8][kVectors], const TileScales<V> (&scales)[kSteps], std::size_t steps,
                      Act x, float* totals) {
    for (int step = 0; step < static_cast<int>(steps); ++step) {
      for (int first = 0; first < kVectors; first += kGroup<M>) {
        const int word = step * 8 / kSteps;
        add_step<M, kIsMin>(codes + word, scales[step], first, x.codes + 4 * word, x.scales, x.sums + step, totals);
      }
    }
  }

  template <bool kIsMin>
  static void several(const LinearCall& call, std::size_t tile, std::size_t first_row, std::size_t rows,
                      float* totals) {
    const formats::BlockMatrix& weight = call.weight;
    const std::uint32_t* words = weight.tile(tile);
    Scales scales = scales_of(weight, tile);
    const Int8Rows& x = *call.int8;
    // So that rows that are taken at once are of one tile of x, beside each other.
    static_assert(kRowTile % kRows == 0 && kRows % 2 == 0);
    for (std::size_t run = 0; run < run_count(weight.layout.k); ++run, words += Format::kColumns * kTile) {
      const std::size_t steps = steps_of(weight, run);
      scales.advance(run, steps);
      Codes codes[8][kVectors];
      Format::each(
          words, [&](int word, int vector, typename V::Words unpacked) { codes[word][vector] = Sum::codes(unpacked); });
      std::size_t row = 0;
      const auto act = [&] { return act_of(x, x.place(first_row + row, run)); };
      for (; row + kRows <= rows; row += kRows) {
        add_run<kRows, kIsMin>(codes, scales.current, steps, act(), totals + row * 16);
      }
      for (; row + 2 <= rows; row += 2) {
        add_run<2, kIsMin>(codes, scales.current, steps, act(), totals + row * 16);
      }
      if (row < rows) {
        add_run<1, kIsMin>(codes, scales.current, steps, act(), totals + row * 16);
      }
    }
  }

  static void run(const LinearCall& call) {
    for (std::size_t row = 0; row < call.rows; row += kRowsPerPass) {
      const std::size_t rows = call.rows - row < kRowsPerPass ? call.rows - row : kRowsPerPass;
      for (std::size_t n = call.n_begin; n < call.n_end; n += kTile) {
        float totals[kRowsPerPass * kTile];
        if (rows == 1) {
          single(call, n / kTile, row, totals);
        } else {
          for (std::size_t index = 0; index < rows * kTile; ++index) {
            totals[index] = 0;
          }
          has_min(call.weight.format) ? several<true>(call, n / kTile, row, rows, totals)
                                      : several<false>(call, n / kTile, row, rows, totals);
        }
        for (int vector = 0; vector < kVectors; ++vector) {
          const Floats scale = row_scales<V>(call.weight, n / kTile, vector);
          for (std::size_t m = 0; m < rows; ++m) {
            float* total = totals + m * 16 + static_cast<std::size_t>(vector * V::kLanes);
            V::store(total, V::mul(V::load(total), scale));
          }
        }
        store_tile<V>(call, n, row, rows, totals);
      }
    }
  }
};

template <class V, bool kHalfRuns>
void linear_int8_runs(const LinearCall& call) {
  switch (call.weight.format.codes) {
    case formats::Codes::kQ8:
      return LinearInt8<V, formats::Codes::kQ8, kHalfRuns>::run(call);
    case formats::Codes::kQ4:
      return LinearInt8<V, formats::Codes::kQ4, kHalfRuns>::run(call);
    case formats::Codes::kQ3:
      return LinearInt8<V, formats::Codes::kQ3, kHalfRuns>::run(call);
    default:
      return LinearInt8<V, formats::Codes::kQ2, kHalfRuns>::run(call);
  }
}

template <class V>
void linear_int8(const LinearCall& call) {
  return call.weight.format.block < kRun ? linear_int8_runs<V, true>(call) : linear_int8_runs<V, false>(call);
}

}  // namespace shoal::kernels
