#include "engine/runtime/step.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "engine/graph/plan.hpp"

namespace shoal::runtime {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();

std::int32_t signed_of(std::uint64_t value) { return static_cast<std::int32_t>(value); }

void append_row(Step& step, const Row& row) {
  const std::size_t first = step.tokens.size();
  step.tokens.insert(step.tokens.end(), row.tokens.begin(), row.tokens.end());
  for (std::size_t index = 0; index < row.tokens.size(); ++index) {
    step.positions.push_back(signed_of(row.past + index));
    step.token_types.push_back(row.token_types.empty() ? 0 : row.token_types[index]);
    if (row.wants_every_output || index + 1 == row.tokens.size()) {
      step.output_tokens.push_back(signed_of(first + index));
    }
  }
  step.row_starts.push_back(signed_of(step.tokens.size()));
  step.slots.push_back(signed_of(row.slot));
  step.past.push_back(signed_of(row.past));
  step.memory_lengths.push_back(signed_of(row.memory_length));
}

}  // namespace

std::span<const std::int32_t> Step::input(std::size_t index) const {
  const std::array<const std::vector<std::int32_t>*, graph::kInputs.size()> all = {
      &tokens, &positions, &token_types, &row_starts, &slots, &past, &memory_lengths, &output_tokens};
  return *all[index];
}

Result<Step> make_step(std::span<const Row> rows) {
  Step step;
  step.row_starts.push_back(0);
  for (const Row& row : rows) {
    const std::string which = "row " + std::to_string(step.slots.size());
    if (row.tokens.empty()) {
      return fail(Code::kInvalidArgument, which + " has no tokens", "tokens");
    }
    if (!row.token_types.empty() && row.token_types.size() != row.tokens.size()) {
      return fail(Code::kInvalidArgument,
                  which + " has " + std::to_string(row.token_types.size()) + " token types for " +
                      std::to_string(row.tokens.size()) + " tokens",
                  "token_types");
    }
    if (row.slot > kMost || row.memory_length > kMost || row.past + step.tokens.size() + row.tokens.size() > kMost) {
      return fail(Code::kInvalidArgument, which + " is too long", "tokens");
    }
    if (std::find(step.slots.begin(), step.slots.end(), signed_of(row.slot)) != step.slots.end()) {
      return fail(Code::kInvalidArgument, which + " has the slot of another row", "slots");
    }
    append_row(step, row);
  }
  if (step.slots.empty()) {
    return fail(Code::kInvalidArgument, "a step without rows", "tokens");
  }
  step.extents[graph::Symbol::kRows] = static_cast<std::uint32_t>(step.slots.size());
  step.extents[graph::Symbol::kTokens] = static_cast<std::uint32_t>(step.tokens.size());
  step.extents[graph::Symbol::kOutputs] = static_cast<std::uint32_t>(step.output_tokens.size());
  return step;
}

}  // namespace shoal::runtime
