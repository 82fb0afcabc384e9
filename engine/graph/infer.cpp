#include "engine/graph/infer.hpp"

#include <cmath>
#include <string>

namespace shoal::graph {
namespace {

using MaybeShape = std::optional<Shape>;

// Reads the operands of one operation. The first thing that does not fit is kept, later ones are answered with
// harmless values, so that the rules below read as statements.
class Operands {
 public:
  Operands(const Plan& plan, const Op& op) : plan_(plan), op_(op) {}

  [[nodiscard]] bool has(std::size_t index) const { return op_.input(index) != kNoTensor; }

  void require(bool condition, std::string_view what) {
    if (!condition && reason_.empty()) {
      reason_ = what;
    }
  }

  const Tensor& at(std::size_t index, TensorKind kind, std::size_t rank, std::string_view what) {
    const Tensor* tensor = plan_.find_tensor(op_.input(index));
    if (tensor == nullptr || tensor->kind != kind || tensor->shape.size() != rank) {
      require(false, std::string(what) + " is missing or of the wrong kind");
      static const Tensor kNothing{.name = {}, .format = {}, .shape = Shape(kMaxRank)};
      return kNothing;
    }
    return *tensor;
  }

  // Columns of a value [rows, columns].
  std::uint32_t value(std::size_t index, std::string_view what) {
    return at(index, TensorKind::kValue, 2, what).shape[1].size;
  }
  Dim rows(std::size_t index, std::string_view what) { return at(index, TensorKind::kValue, 2, what).shape[0]; }

  void input(std::size_t index, Dim dim, std::string_view what) {
    require(at(index, TensorKind::kInput, 1, what).shape[0] == dim, std::string(what) + " has another extent");
  }

  void vector(std::size_t index, std::uint32_t size, std::string_view what) {
    if (has(index)) {
      require(at(index, TensorKind::kWeight, 1, what).shape[0] == fixed(size), std::string(what) + " has another size");
    }
  }

  void value_like(std::size_t index, const Shape& shape, std::string_view what) {
    if (has(index)) {
      require(at(index, TensorKind::kValue, 2, what).shape == shape, std::string(what) + " has another shape");
    }
  }

  Result<MaybeShape> answer(MaybeShape shape) {
    if (!reason_.empty()) {
      return fail(Code::kGraphBuildingError, std::string(op_name(op_.attributes)) + ": " + reason_);
    }
    return shape;
  }

  // Keys in the slots of a state: checks the pair and answers its columns.
  std::uint32_t states(std::size_t keys, std::size_t values) {
    const Tensor& k = at(keys, TensorKind::kState, 3, "k");
    const Tensor& v = at(values, TensorKind::kState, 3, "v");
    require(k.shape == v.shape && &k != &v, "k and v are not two states of one shape");
    return k.shape[2].size;
  }

  [[nodiscard]] TensorKind kind(std::size_t index) const {
    const Tensor* tensor = plan_.find_tensor(op_.input(index));
    return tensor == nullptr ? TensorKind::kInput : tensor->kind;
  }

 private:
  const Plan& plan_;
  const Op& op_;
  std::string reason_;
};

constexpr Dim kTokenDim = {Symbol::kTokens, 0};
constexpr Dim kRowDim = {Symbol::kRows, 0};
constexpr Dim kStartsDim = {Symbol::kRows, 1};

bool is_positive(float value) { return std::isfinite(value) && value > 0; }

Result<MaybeShape> infer(const Embedding& op, Operands in) {
  in.input(0, kTokenDim, "ids");
  const Tensor& table = in.at(1, TensorKind::kWeight, 2, "table");
  in.require(std::isfinite(op.scale), "scale is not finite");
  in.require(op.offset < table.shape[0].size || table.shape[0].size == 0, "offset lies beyond the table");
  Shape shape = {kTokenDim, table.shape[1]};
  in.value_like(2, shape, "addend");
  return in.answer(std::move(shape));
}

Result<MaybeShape> infer(const Linear&, Operands in) {
  const Tensor& weight = in.at(1, TensorKind::kWeight, 2, "weight");
  in.require(in.value(0, "x") == weight.shape[1].size, "x has not as many columns as weight");
  Shape shape = {in.rows(0, "x"), weight.shape[0]};
  in.vector(2, weight.shape[0].size, "bias");
  in.value_like(3, shape, "residual");
  return in.answer(std::move(shape));
}

Result<MaybeShape> infer_norm(float epsilon, std::uint32_t width, Operands& in) {
  const std::uint32_t columns = in.value(0, "x");
  in.require(std::isfinite(epsilon) && epsilon >= 0, "epsilon is no small number");
  in.require(width != 0 && columns % width == 0, "width does not divide the columns of x");
  in.at(1, TensorKind::kWeight, 1, "weight");
  in.vector(1, width, "weight");
  in.vector(2, width, "bias");
  return in.answer(Shape{in.rows(0, "x"), fixed(columns)});
}
Result<MaybeShape> infer(const LayerNorm& op, Operands in) { return infer_norm(op.epsilon, op.width, in); }
Result<MaybeShape> infer(const RmsNorm& op, Operands in) { return infer_norm(op.epsilon, op.width, in); }

Result<MaybeShape> infer(const RopeAngles&, Operands in) {
  in.input(0, kTokenDim, "positions");
  const std::uint32_t count = in.at(1, TensorKind::kWeight, 1, "frequencies").shape[0].size;
  in.require(count != 0 && count <= 1U << 16, "there are 1 to 65536 frequencies");
  return in.answer(Shape{kTokenDim, fixed(2 * count)});
}

Result<MaybeShape> infer(const Rope& op, Operands in) {
  const std::uint32_t columns = in.value(0, "x");
  in.require(op.head_dim != 0 && columns % op.head_dim == 0, "head_dim does not divide the columns of x");
  in.require(in.value(1, "angles") <= op.head_dim, "angles has more columns than a head");
  in.require(in.rows(0, "x") == kTokenDim && in.rows(1, "angles") == kTokenDim, "a row of x is not a token");
  return in.answer(Shape{kTokenDim, fixed(columns)});
}

Result<MaybeShape> infer(const KvAppend&, Operands in) {
  const Shape shape = {kTokenDim, fixed(in.states(2, 3))};
  in.at(0, TensorKind::kValue, 2, "k");
  in.value_like(0, shape, "k");
  in.at(1, TensorKind::kValue, 2, "v");
  in.value_like(1, shape, "v");
  in.input(4, kStartsDim, "row_starts");
  in.input(5, kRowDim, "slots");
  in.input(6, kRowDim, "past");
  return in.answer(std::nullopt);
}

void check_bias(const Attention& op, Operands& in, std::size_t index) {
  if (op.bias == AttentionBias::kNone) {
    in.require(!in.has(index), "there is a bias, but the attributes name none");
  } else if (op.bias == AttentionBias::kAlibi) {
    in.at(index, TensorKind::kWeight, 1, "bias");
    in.vector(index, op.heads, "bias");
  } else {
    const Tensor& table = in.at(index, TensorKind::kWeight, 2, "bias");
    in.require(table.shape[1] == fixed(op.heads), "bias has not one column a head");
    const std::uint32_t buckets = table.shape[0].size / (op.mask == AttentionMask::kBidirectional ? 2 : 1);
    in.require(buckets >= 2 && op.max_distance > buckets / 2 && op.max_distance <= 1U << 20,
               "max_distance or the number of buckets makes no buckets");
  }
}

Result<MaybeShape> infer(const Attention& op, Operands in) {
  constexpr std::uint32_t kMost = 1U << 16;
  in.require(op.heads != 0 && op.kv_heads != 0 && op.head_dim != 0 && op.heads <= kMost && op.head_dim <= kMost,
             "heads, kv_heads and head_dim are 1 to 65536");
  in.require(op.kv_heads != 0 && op.heads % op.kv_heads == 0, "kv_heads does not divide heads");
  in.require(is_positive(op.scale), "scale is not a positive number");
  in.require(op.window == 0 || op.mask == AttentionMask::kCausal, "a window needs a causal mask");
  const std::uint64_t columns = std::uint64_t{op.heads} * op.head_dim;
  const std::uint64_t kv_columns = std::uint64_t{op.kv_heads} * op.head_dim;
  in.require(in.value(0, "q") == columns, "q has not heads * head_dim columns");
  in.require(in.rows(0, "q") == kTokenDim, "a row of q is not a token");
  in.input(3, kStartsDim, "row_starts");
  if (in.kind(1) == TensorKind::kState) {
    in.require(in.states(1, 2) == kv_columns, "k has not kv_heads * head_dim columns");
    in.input(4, kRowDim, "slots");
    in.input(5, kRowDim, "lengths");
    check_bias(op, in, kSlottedBias);
  } else {
    const Shape shape = {kTokenDim, fixed(static_cast<std::uint32_t>(kv_columns))};
    in.at(1, TensorKind::kValue, 2, "k");
    in.value_like(1, shape, "k");
    in.at(2, TensorKind::kValue, 2, "v");
    in.value_like(2, shape, "v");
    check_bias(op, in, kPackedBias);
    in.require(!in.has(5) && !in.has(6), "there are operands behind the bias");
  }
  return in.answer(Shape{kTokenDim, fixed(static_cast<std::uint32_t>(columns))});
}

Result<MaybeShape> infer(const Activate&, Operands in) {
  return in.answer(Shape{in.rows(0, "x"), fixed(in.value(0, "x"))});
}

Result<MaybeShape> infer(const Gate&, Operands in) {
  in.require(in.value(0, "x") % 2 == 0, "x has an odd number of columns");
  return in.answer(Shape{in.rows(0, "x"), fixed(in.value(0, "x") / 2)});
}

Result<MaybeShape> infer(const Add&, Operands in) {
  Shape shape = {in.rows(0, "a"), fixed(in.value(0, "a"))};
  in.at(1, TensorKind::kValue, 2, "b");
  in.value_like(1, shape, "b");
  return in.answer(std::move(shape));
}

Result<MaybeShape> infer(const Pool&, Operands in) {
  in.require(in.rows(0, "x") == kTokenDim, "a row of x is not a token");
  in.input(1, kStartsDim, "row_starts");
  return in.answer(Shape{kRowDim, fixed(in.value(0, "x"))});
}

Result<MaybeShape> infer(const Gather&, Operands in) {
  in.require(in.rows(0, "x") == kTokenDim, "a row of x is not a token");
  in.input(1, extent(Symbol::kOutputs), "indices");
  return in.answer(Shape{extent(Symbol::kOutputs), fixed(in.value(0, "x"))});
}

Result<MaybeShape> infer(const L2Normalize&, Operands in) {
  return in.answer(Shape{in.rows(0, "x"), fixed(in.value(0, "x"))});
}

}  // namespace

Result<std::optional<Shape>> infer_output(const Plan& plan, const Op& op) {
  const auto [required, at_most] = operand_counts(op.attributes);
  if (op.inputs.size() < required || op.inputs.size() > at_most) {
    return fail(Code::kGraphBuildingError, std::string(op_name(op.attributes)) + ": there are " +
                                               std::to_string(op.inputs.size()) + " operands, expected " +
                                               std::to_string(required) + " to " + std::to_string(at_most));
  }
  return std::visit([&](const auto& attributes) { return infer(attributes, Operands(plan, op)); }, op.attributes);
}

}  // namespace shoal::graph
