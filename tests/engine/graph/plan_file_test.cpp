#include "engine/graph/plan_file.hpp"

#include <gmock/gmock.h>

#include "tests/engine/graph/small_plan.hpp"

namespace shoal::graph {
namespace {

Bytes bytes_of(const std::vector<std::uint8_t>& file) {
  return {reinterpret_cast<const std::byte*>(file.data()), file.size()};
}

// Everything that a plan says, as text.
std::string described(const Plan& plan) {
  std::string out = plan.architecture + "\n";
  const auto add = [&](const auto&... parts) { ((out += std::to_string(parts) + " "), ...); };
  for (const Tensor& tensor : plan.tensors) {
    out += tensor.name + " " + formats::format_name(tensor.format) + " ";
    add(static_cast<int>(tensor.kind), static_cast<int>(tensor.element), tensor.view_of, tensor.view_column,
        tensor.buffer, tensor.shard, tensor.offset);
    for (const Dim& dim : tensor.shape) {
      add(static_cast<int>(dim.symbol), dim.size);
    }
    out += "\n";
  }
  for (const Signature& signature : plan.signatures) {
    out += signature.name + " ";
    for (const Op& op : signature.ops) {
      out += std::string(op_name(op.attributes)) + " ";
      add(op.output);
      for (const TensorId id : op.inputs) {
        add(id);
      }
    }
    for (const Layer& layer : signature.layers) {
      out += layer.name + " ";
      add(layer.first_op, layer.op_count);
    }
    for (const Output& output : signature.outputs) {
      out += output.name + " ";
      add(output.tensor);
    }
    for (const Buffer& buffer : signature.buffers) {
      add(static_cast<int>(buffer.rows.symbol), buffer.columns);
    }
  }
  for (const Shard& shard : plan.shards) {
    out += shard.sha256 + " ";
    add(shard.bytes);
  }
  return out;
}

TEST(PlanFile, ComesBackAsItWas) {
  Plan plan = small_plan();
  plan.tensors[1].format = {.codes = formats::Codes::kQ4, .block = 64};
  const auto back = read_plan(bytes_of(write_plan(plan)));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(described(*back), described(plan));
  const auto& attention = std::get<Attention>(back->signatures[0].ops[2].attributes);
  EXPECT_EQ(attention.heads, 2U);
  EXPECT_EQ(attention.head_dim, 4U);
  EXPECT_EQ(attention.scale, 0.5F);
  EXPECT_EQ(std::get<Linear>(back->signatures[0].ops[3].attributes).activation, Activation::kGelu);
  EXPECT_EQ(std::get<LayerNorm>(back->signatures[0].ops[4].attributes).epsilon, 1e-5F);
}

TEST(PlanFile, ATruncationIsAnErrorOrCutPaddingAlone) {
  const Plan whole = small_plan();
  const auto file = write_plan(whole);
  constexpr std::size_t kMostPadding = 7;
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto plan = read_plan(bytes_of(file).first(size));
    if (plan) {
      EXPECT_GE(size + kMostPadding, file.size());
      EXPECT_EQ(described(*plan), described(whole));
    } else {
      EXPECT_FALSE(plan.error().message.empty());
    }
  }
}

TEST(PlanFile, PlacesComeBack) {
  const Plan plan = placed_plan();
  const auto back = read_plan(bytes_of(write_plan(plan)));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(described(*back), described(plan));
  EXPECT_THAT(described(*back), testing::HasSubstr(std::string(64, '1')));
}

// A flipped bit gives an error or a plan that verify() accepted, never a read where nothing is.
TEST(PlanFile, EveryFlippedBitIsAnswered) {
  const auto file = write_plan(placed_plan());
  int refused = 0;
  for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
    auto broken = file;
    broken[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    refused += read_plan(bytes_of(broken)) ? 0 : 1;
  }
  EXPECT_GT(refused, static_cast<int>(file.size()));
}

TEST(PlanFile, RefusesAPlanThatIsNotWellFormed) {
  Plan plan = small_plan();
  plan.signatures[0].layers.pop_back();
  const auto back = read_plan(bytes_of(write_plan(plan)));
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, Code::kGraphBuildingError);
  EXPECT_THAT(back.error().message, testing::HasSubstr("plan: signature 'encode': the layers do not cover"));
}

}  // namespace
}  // namespace shoal::graph
