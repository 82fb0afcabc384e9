// A small valid plan that tests then break: an embedding, a view, attention and two outputs.
#pragma once

#include <gtest/gtest.h>

#include "engine/graph/builder.hpp"
#include "engine/graph/places.hpp"

namespace shoal::graph {

inline Builder small_builder() {
  Builder b("small");
  b.begin("encode");
  b.layer("embeddings");
  const TensorId x = b.apply(Embedding{}, {b.input("tokens"), b.weight("table", {10, 8})});
  b.layer("layer");
  const TensorId qkv = b.apply(Linear{}, {x, b.weight("qkv", {24, 8}), b.weight("qkv.bias", {24})});
  const TensorId y = b.apply(Attention{.heads = 2, .kv_heads = 2, .head_dim = 4, .scale = 0.5F},
                             {b.view(qkv, 0, 8), b.view(qkv, 8, 8), b.view(qkv, 16, 8), b.input("row_starts")});
  const TensorId z = b.apply(Linear{.activation = Activation::kGelu}, {y, b.weight("out", {8, 8}), kNoTensor, x});
  b.layer("head");
  b.output("all", b.apply(LayerNorm{.epsilon = 1e-5F, .width = 8}, {z, b.weight("norm", {8})}));
  b.output("mean", b.apply(Pool{}, {z, b.input("row_starts")}));
  return b;
}

inline Plan small_plan() {
  auto plan = small_builder().finish();
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? std::move(*plan) : Plan();
}

// The small plan with its weights in two shards: matrices in the first, vectors in the second.
inline Plan placed_plan() {
  Plan plan = small_plan();
  plan.shards = {{.sha256 = std::string(64, '0')}, {.sha256 = std::string(64, '1')}};
  for (Tensor& tensor : plan.tensors) {
    if (tensor.kind == TensorKind::kWeight) {
      tensor.shard = tensor.shape.size() == 2 ? 0 : 1;
      Shard& shard = plan.shards[tensor.shard];
      tensor.offset = (shard.bytes + kPlaceAlignment - 1) / kPlaceAlignment * kPlaceAlignment;
      shard.bytes = tensor.offset + stored_bytes(tensor).value();
    }
  }
  return plan;
}

}  // namespace shoal::graph
