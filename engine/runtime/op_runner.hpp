// Carries out one operation of a verified plan: finds the memory of its operands, checks the numbers of the step that
// index into it, and spreads a kernel over the lanes.
#pragma once

#include "engine/kernels/attention.hpp"
#include "engine/kernels/kv_format.hpp"
#include "engine/runtime/executor.hpp"

namespace shoal::runtime {

class OpRunner {
 public:
  OpRunner(Executor& executor, const Step& step) : executor_(executor), step_(step) {}

  Status run(const graph::Op& op);

 private:
  Status run(const graph::Embedding& embedding, const graph::Op& op);
  Status run(const graph::Linear& linear, const graph::Op& op);
  Status run(const graph::LayerNorm& norm, const graph::Op& op);
  Status run(const graph::RmsNorm& norm, const graph::Op& op);
  Status run(const graph::RopeAngles& angles, const graph::Op& op);
  Status run(const graph::Rope& rope, const graph::Op& op);
  Status run(const graph::KvAppend& append, const graph::Op& op);
  Status run(const graph::Attention& attention, const graph::Op& op);
  Status run(const graph::Activate& activate, const graph::Op& op);
  Status run(const graph::Gate& gate, const graph::Op& op);
  Status run(const graph::Add& add, const graph::Op& op);
  Status run(const graph::Pool& pool, const graph::Op& op);
  Status run(const graph::Gather& gather, const graph::Op& op);
  Status run(const graph::L2Normalize& normalize, const graph::Op& op);

  [[nodiscard]] kernels::Matrix value(graph::TensorId id) const;
  // The integers of an input.
  [[nodiscard]] std::span<const std::int32_t> input(graph::TensorId id) const;
  // The vector of a weight, or null when the operand is left out.
  [[nodiscard]] const float* vector(graph::TensorId id) const;
  // Where the positions of one slot begin, in the state's format.
  [[nodiscard]] std::uint8_t* slot(graph::TensorId state, std::int32_t index) const;
  // The first `count` of them: of floats, and of one head of any format.
  [[nodiscard]] kernels::Matrix slot_floats(graph::TensorId state, std::int32_t index, std::size_t count) const;
  [[nodiscard]] kernels::KvRows slot_head(graph::TensorId state, std::int32_t index, std::size_t count,
                                          std::size_t head) const;
  Status attend(const graph::Attention& attention, const graph::Op& op, const RelativeBias* relative);
  Status attend_stored(const graph::Attention& attention, const graph::Op& op, const RelativeBias* relative);
  [[nodiscard]] kernels::ScoreBias bias_of(const graph::Attention& attention, graph::TensorId bias,
                                           const RelativeBias* relative, std::size_t head) const;
  // kInvalidArgument when a slot is not one, kContextLengthExceeded when `count` positions are more than it has.
  [[nodiscard]] Status check_slot(graph::TensorId state, std::int32_t index, std::int64_t count) const;
  [[nodiscard]] float* scratch(std::uint32_t lane) const;
  // Calls body(begin, end) for ranges of rows that cost `columns` each.
  template <class Body>
  void over_rows(std::size_t rows, std::size_t columns, Body&& body) const;

  Executor& executor_;
  const Step& step_;
};

}  // namespace shoal::runtime
