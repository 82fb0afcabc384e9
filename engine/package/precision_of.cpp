#include "engine/package/precision_of.hpp"

#include <vector>

namespace shoal::package {

std::uint64_t parameters_of(const graph::Plan& plan) {
  std::uint64_t count = 0;
  for (const graph::Tensor& tensor : plan.tensors) {
    if (tensor.kind == graph::TensorKind::kWeight) {
      count += std::uint64_t{tensor.shape[0].size} * (tensor.shape.size() == 2 ? tensor.shape[1].size : 1);
    }
  }
  return count;
}

Status choose_formats(archs::Model& model, const quantize::PrecisionRequest& request) {
  std::vector<quantize::WeightShape> weights;
  std::vector<graph::Tensor*> tensors;
  for (graph::TensorId id = 0; id < model.plan.tensors.size(); ++id) {
    graph::Tensor& tensor = model.plan.tensors[id];
    if (tensor.kind != graph::TensorKind::kWeight) {
      continue;
    }
    const bool is_matrix = tensor.shape.size() == 2;
    quantize::WeightShape weight{.name = tensor.name,
                                 .role = quantize::role_of(tensor.name),
                                 .n = is_matrix ? tensor.shape[0].size : 1,
                                 .k = tensor.shape.back().size,
                                 .is_matrix = is_matrix};
    for (const import::RecipePart& part : model.recipes[id].parts) {
      weight.sources.push_back(part.tensor);
    }
    weights.push_back(std::move(weight));
    tensors.push_back(&tensor);
  }
  const auto formats = quantize::plan_precision(weights, request);
  if (!formats) {
    return fail(formats.error());
  }
  for (std::size_t index = 0; index < tensors.size(); ++index) {
    if (weights[index].is_matrix) {
      tensors[index]->format = (*formats)[index];
    }
  }
  return {};
}

}  // namespace shoal::package
