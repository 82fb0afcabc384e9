#include "engine/graph/verify.hpp"

#include <gmock/gmock.h>

#include <functional>

#include "tests/engine/graph/small_plan.hpp"

namespace shoal::graph {
namespace {

TensorId tensor_named(const Plan& plan, std::string_view name) {
  for (TensorId id = 0; id < plan.tensors.size(); ++id) {
    if (plan.tensors[id].name == name) {
      return id;
    }
  }
  ADD_FAILURE() << "no tensor " << name;
  return 0;
}

Tensor& tensor(Plan& plan, std::string_view name) { return plan.tensors[tensor_named(plan, name)]; }

TEST(Verify, AcceptsWhatTheBuilderMakes) { EXPECT_TRUE(verify(small_plan())); }

TEST(Verify, RefusesEveryBrokenPlanBeforeItRuns) {
  struct Case {
    const char* reason;
    std::function<void(Plan&)> break_it;
  };
  const Case cases[] = {
      {"0 signatures", [](Plan& p) { p.signatures.clear(); }},
      {"there twice", [](Plan& p) { p.signatures.push_back(p.signatures[0]); }},
      {"reads a tensor that is not there", [](Plan& p) { p.signatures[0].ops[0].inputs[1] = 1000; }},
      {"reads a tensor that is not there", [](Plan& p) { p.signatures[0].inputs.clear(); }},
      {"reads a tensor that is not there", [](Plan& p) { std::swap(p.signatures[0].ops[0], p.signatures[0].ops[1]); }},
      {"linear: x has not as many columns", [](Plan& p) { tensor(p, "out").shape[1] = fixed(7); }},
      {"linear: residual has another shape",
       [](Plan& p) { p.signatures[0].ops[3].inputs[3] = p.signatures[0].ops[1].output; }},
      {"bias has another size", [](Plan& p) { tensor(p, "qkv.bias").shape[0] = fixed(23); }},
      {"declared with another shape", [](Plan& p) { p.tensors[p.signatures[0].ops[0].output].shape[1] = fixed(9); }},
      {"made twice", [](Plan& p) { p.signatures[0].ops[3].output = p.signatures[0].ops[0].output; }},
      {"there are 1 operands", [](Plan& p) { p.signatures[0].ops[0].inputs.resize(1); }},
      {"reaches beyond", [](Plan& p) { tensor(p, "layer.linear[16]").view_column = 17; }},
      {"reaches beyond", [](Plan& p) { tensor(p, "layer.linear[16]").view_column = 0xFFFFFFF0U; }},
      {"begins at a column and is no view",
       [](Plan& p) { p.tensors[p.signatures[0].ops[0].output].view_column = 1'000'000'000; }},
      {"of something that is no value",
       [](Plan& p) { tensor(p, "layer.linear[16]").view_of = tensor_named(p, "qkv"); }},
      {"kv_heads does not divide",
       [](Plan& p) { std::get<Attention>(p.signatures[0].ops[2].attributes).kv_heads = 3; }},
      {"heads * head_dim columns",
       [](Plan& p) { std::get<Attention>(p.signatures[0].ops[2].attributes).head_dim = 8; }},
      {"scale is not", [](Plan& p) { std::get<Attention>(p.signatures[0].ops[2].attributes).scale = NAN; }},
      {"window needs", [](Plan& p) { std::get<Attention>(p.signatures[0].ops[2].attributes).window = 3; }},
      {"width does not divide", [](Plan& p) { std::get<LayerNorm>(p.signatures[0].ops[4].attributes).width = 3; }},
      {"width does not divide", [](Plan& p) { std::get<LayerNorm>(p.signatures[0].ops[4].attributes).width = 0; }},
      {"wrong element", [](Plan& p) { tensor(p, "table").element = Element::kI32; }},
      {"unknown or has another shape", [](Plan& p) { tensor(p, "tokens").name = "pixels"; }},
      {"no vector or matrix", [](Plan& p) { tensor(p, "table").shape[0] = extent(Symbol::kTokens); }},
      {"no vector or matrix", [](Plan& p) { tensor(p, "table").shape[0] = fixed(0); }},
      {"no name of its own", [](Plan& p) { tensor(p, "out").name = "table"; }},
      {"does not begin where", [](Plan& p) { p.signatures[0].layers[1].first_op = 0; }},
      {"do not cover", [](Plan& p) { p.signatures[0].layers.pop_back(); }},
      {"output 'all' is not made", [](Plan& p) { p.signatures[0].outputs[0].tensor = 0; }},
      {"named twice", [](Plan& p) { p.signatures[0].outputs[0].name = "mean"; }},
      {"a buffer that there is not", [](Plan& p) { p.tensors[p.signatures[0].ops[0].output].buffer = 77; }},
      {"of another shape", [](Plan& p) { p.signatures[0].buffers[0].columns = 1; }},
      {"still needed",
       [](Plan& p) {
         const Signature& s = p.signatures[0];
         p.tensors[s.ops[1].output].buffer = p.tensors[s.ops[0].output].buffer;
         p.signatures[0].buffers[p.tensors[s.ops[0].output].buffer].columns = 24;
       }},
  };
  for (const Case& one : cases) {
    Plan plan = small_plan();
    one.break_it(plan);
    const auto verdict = verify(plan);
    ASSERT_FALSE(verdict) << one.reason;
    EXPECT_EQ(verdict.error().code, Code::kGraphBuildingError);
    EXPECT_THAT(verdict.error().message, testing::HasSubstr(one.reason));
  }
}

// Whatever one number of a plan becomes, the verifier answers and does not read where nothing is.
TEST(Verify, SurvivesEveryIdInEveryPlace) {
  const Plan good = small_plan();
  int accepted = 0;
  for (std::size_t op = 0; op < good.signatures[0].ops.size(); ++op) {
    for (std::size_t operand = 0; operand < good.signatures[0].ops[op].inputs.size(); ++operand) {
      for (TensorId id = 0; id < good.tensors.size() + 2; ++id) {
        Plan plan = good;
        plan.signatures[0].ops[op].inputs[operand] = id;
        accepted += verify(plan) ? 1 : 0;
      }
    }
  }
  // At least every operand as it was, and far from all of them.
  EXPECT_GE(accepted, 15);
  EXPECT_LT(accepted, 60);
}

}  // namespace
}  // namespace shoal::graph
