// Makes a plan, one operation after the other. The first mistake is kept and reported by finish(); until then every
// call answers something that later calls may be given, so that an architecture reads as a list of operations.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/graph/plan.hpp"

namespace shoal::graph {

class Builder {
 public:
  explicit Builder(std::string architecture) { plan_.architecture = std::move(architecture); }

  // A weight of this shape, the same one when the name was there before.
  TensorId weight(std::string name, std::vector<std::uint32_t> shape);
  // State [N, extent, columns].
  TensorId state(std::string name, Symbol extent, std::uint32_t columns);

  // What follows belongs to this signature, until the next begin().
  void begin(std::string signature);
  // What follows belongs to this layer, until the next layer().
  void layer(std::string name);

  // One of kInputs; joins the signature's inputs.
  TensorId input(std::string_view name);
  // Appends the operation; its output, or kNoTensor when it has none.
  TensorId apply(Attributes attributes, std::vector<TensorId> inputs);
  // Columns [column, column + columns) of a value.
  TensorId view(TensorId value, std::uint32_t column, std::uint32_t columns);
  void output(std::string name, TensorId value);

  // Keeps the mistake, unless there is one already.
  void refuse(Error error);
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::uint32_t columns(TensorId value) const;
  [[nodiscard]] const Plan& plan() const { return plan_; }

  // The plan with its buffers, verified.
  Result<Plan> finish() &&;

 private:
  TensorId add(Tensor tensor);
  [[nodiscard]] TensorId find(TensorKind kind, std::string_view name) const;
  Signature& signature();

  Plan plan_;
  Error error_;
  bool failed_ = false;
};

}  // namespace shoal::graph
