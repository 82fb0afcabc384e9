#include "engine/runtime/weights.hpp"

#include <atomic>
#include <span>
#include <utility>

namespace shoal::runtime {

Result<Weights::Weight> Weights::make_one(const graph::Tensor& tensor, const import::Recipe& recipe,
                                          const import::Checkpoint& checkpoint, const quantize::Options& options,
                                          Parallel& parallel) {
  Weight out;
  if (tensor.shape.size() == 1) {
    auto memory = AlignedBytes::make(std::uint64_t{recipe.rows} * sizeof(float));
    if (!memory) {
      return fail(std::move(memory.error()));
    }
    import::read_rows(recipe, checkpoint, 0, recipe.rows, memory->floats());
    out.memory = std::move(*memory);
    return out;
  }
  const auto layout = formats::layout_of(tensor.format, recipe.rows, recipe.columns);
  if (!layout) {
    return fail(layout.error());
  }
  auto memory = AlignedBytes::make(layout->bytes);
  if (!memory) {
    return fail(std::move(memory.error()));
  }
  auto writer = formats::matrix_writer(tensor.format, recipe.rows, recipe.columns, {memory->data(), memory->size()});
  if (!writer) {
    return fail(std::move(writer.error()));
  }
  std::vector<std::vector<float>> lanes(parallel.lanes(), std::vector<float>(recipe.columns));
  std::atomic<bool> has_failed = false;
  for_ranges(parallel, recipe.rows, formats::kTileRows, [&](std::size_t begin, std::size_t end, std::uint32_t lane) {
    for (std::size_t row = begin; row < end; ++row) {
      import::read_rows(recipe, checkpoint, static_cast<std::uint32_t>(row), 1, lanes[lane].data());
      if (!quantize::quantize_row(*writer, row, lanes[lane], options)) {
        has_failed = true;
      }
    }
  });
  if (has_failed) {
    return fail(Code::kPrecisionNotSupported, "a value does not fit into " + formats::format_name(tensor.format));
  }
  auto matrix = formats::matrix_view(tensor.format, recipe.rows, recipe.columns, {memory->data(), memory->size()});
  if (!matrix) {
    return fail(std::move(matrix.error()));
  }
  out.memory = std::move(*memory);
  out.matrix = *matrix;
  return out;
}

Result<Weights> Weights::make(const graph::Plan& plan, const std::vector<import::Recipe>& recipes,
                              const import::Checkpoint& checkpoint, const quantize::Options& options,
                              Parallel& parallel) {
  Weights out;
  out.weights_.resize(plan.tensors.size());
  for (graph::TensorId id = 0; id < plan.tensors.size(); ++id) {
    const graph::Tensor& tensor = plan.tensors[id];
    if (tensor.kind != graph::TensorKind::kWeight) {
      continue;
    }
    auto weight = make_one(tensor, recipes[id], checkpoint, options, parallel);
    if (!weight) {
      return fail(std::move(weight.error()).with("weight '" + tensor.name + "'"));
    }
    out.bytes_ += weight->memory.size();
    out.weights_[id] = std::move(*weight);
  }
  return out;
}

}  // namespace shoal::runtime
