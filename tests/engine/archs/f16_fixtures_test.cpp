// Weights as f16: how far the answers drift from PyTorch's, against the drift that the reference measured for fp16.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/engine/support/fixture.hpp"

namespace shoal::test {
namespace {

using graph::Symbol;

graph::Extents limits() {
  graph::Extents out;
  out[Symbol::kRows] = 4;
  out[Symbol::kTokens] = 256;
  out[Symbol::kOutputs] = 256;
  out[Symbol::kSlots] = 4;
  out[Symbol::kContext] = 96;
  return out;
}

struct F16Case {
  const char* fixture;
  const char* signature;
  const char* output;
};

class F16Fixture : public testing::TestWithParam<F16Case> {};

TEST_P(F16Fixture, DriftsNoFurtherThanTwiceTheMeasuredDrift) {
  SHOAL_FIXTURE_OR_SKIP(fixture, GetParam().fixture);
  const std::string output = GetParam().output;
  const double measured = fixture->facts.at("measured_drift").at("fp16").at(output).at("rel_l2").get<double>();
  Serial serial;
  const LoadedModel loaded = load_model(fixture->path, serial, {}, formats::Codes::kF16);
  auto executor = runtime::Executor::make(loaded.model.plan, loaded.weights, limits(), serial);
  ASSERT_TRUE(executor) << executor.error().message;
  double worst = 0;
  for (const ReferenceCase& one : fixture->cases) {
    const ReferenceTensor& expected = one.at("output." + output);
    double off = 0;
    double length = 0;
    for (std::size_t row = 0; row < one.rows(); ++row) {
      const auto tokens = one.tokens(row);
      const auto done = (*executor)->run(
          GetParam().signature,
          *runtime::make_step(std::vector<runtime::Row>{{.tokens = tokens, .wants_every_output = true}}));
      ASSERT_TRUE(done) << done.error().message;
      const auto actual = *(*executor)->output(output);
      const auto kept = one.kept(row);
      for (std::size_t at = 0; at < actual.rows; ++at) {
        const std::size_t place = expected.shape.size() == 2 ? row : row * one.columns() + kept[at];
        for (std::size_t column = 0; column < actual.columns; ++column) {
          const double want = double{expected.floats[place * actual.columns + column]};
          off += std::pow(double{actual.row(at)[column]} - want, 2);
          length += want * want;
        }
      }
    }
    worst = std::max(worst, std::sqrt(off / length));
  }
  EXPECT_LE(worst, 2 * measured);
  RecordProperty("rel_l2", std::to_string(worst));
}

INSTANTIATE_TEST_SUITE_P(Models, F16Fixture,
                         testing::Values(F16Case{"bert", "encode", "last_hidden_state"},
                                         F16Case{"distilbert", "encode", "logits"},
                                         F16Case{"roberta", "encode", "logits"}, F16Case{"albert", "encode", "logits"},
                                         F16Case{"gpt2", "decode", "logits"}, F16Case{"bloom", "decode", "logits"},
                                         F16Case{"falcon", "decode", "logits"}, F16Case{"qwen3", "decode", "logits"}),
                         [](const auto& one) { return std::string(one.param.fixture); });

}  // namespace
}  // namespace shoal::test
