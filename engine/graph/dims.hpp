// Extents of tensors. A plan is compiled once for every batch size and length, so an extent is a number or a symbol
// that a step fills in.
//
// The tokens of all rows of a step lie one after the other in one axis T; there is no padding. Row b has the tokens
// row_starts[b] to row_starts[b + 1]. So a batch of short and long rows costs what its tokens cost, a row's result
// cannot depend on how long its neighbours are, and a step may mix chunks of prompts with single tokens of running
// sequences.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace shoal::graph {

enum class Symbol : std::uint8_t {
  kNone,     // a number
  kRows,     // B: rows of the step
  kTokens,   // T: tokens of the step, all rows together
  kOutputs,  // R: tokens whose logits are wanted
  kSlots,    // N: sequences that the state holds
  kContext,  // S: positions of one sequence in the state
  kMemory,   // M: positions of the encoder's output in the state, for cross attention
};
inline constexpr std::size_t kSymbolCount = 7;
inline constexpr std::array<std::string_view, kSymbolCount> kSymbolNames = {"", "B", "T", "R", "N", "S", "M"};

// Extents of the symbols in one step, or their upper bounds.
struct Extents {
  std::array<std::uint32_t, kSymbolCount> of{};

  std::uint32_t& operator[](Symbol symbol) { return of[static_cast<std::size_t>(symbol)]; }
  std::uint32_t operator[](Symbol symbol) const { return of[static_cast<std::size_t>(symbol)]; }
};

// `size`, plus the symbol's extent where there is one: {kRows, 1} is B + 1.
struct Dim {
  Symbol symbol = Symbol::kNone;
  std::uint32_t size = 0;

  [[nodiscard]] std::uint64_t in(const Extents& extents) const {
    return std::uint64_t{size} + (symbol == Symbol::kNone ? 0 : extents[symbol]);
  }
  [[nodiscard]] bool is_fixed() const { return symbol == Symbol::kNone; }
  friend bool operator==(const Dim&, const Dim&) = default;
};

using Shape = std::vector<Dim>;
inline constexpr std::size_t kMaxRank = 4;

inline Dim fixed(std::uint32_t size) { return {Symbol::kNone, size}; }
inline Dim extent(Symbol symbol, std::uint32_t more = 0) { return {symbol, more}; }

}  // namespace shoal::graph
