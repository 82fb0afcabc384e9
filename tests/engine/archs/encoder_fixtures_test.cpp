// Every encoder of the reference models against what PyTorch answered: alone, and all rows of a case in one step.
#include <gtest/gtest.h>

#include "tests/engine/support/fixture.hpp"

namespace shoal::test {
namespace {

constexpr std::uint32_t kMostTokens = 512;

graph::Extents limits() {
  graph::Extents out;
  out[graph::Symbol::kRows] = 8;
  out[graph::Symbol::kTokens] = kMostTokens;
  out[graph::Symbol::kOutputs] = kMostTokens;
  return out;
}

// What our output is called in the reference, and whether a number for each token is all that it has.
struct OutputName {
  const char* ours;
  const char* reference;
  bool is_one_number = false;
};
constexpr OutputName kOutputs[] = {{"last_hidden_state", "last_hidden_state"}, {"pooler_output", "pooler_output"},
                                   {"embedding", "mean_pooled_normalized"},    {"logits", "logits"},
                                   {"start_logits", "start_logits", true},     {"end_logits", "end_logits", true}};

// Whether the case has this output; compares it when it does.
bool expect_output(const Fixture& fixture, const ReferenceCase& one, const runtime::Executor& executor,
                   const OutputName& name) {
  const auto found = one.tensors.find(std::string("output.") + name.reference);
  if (found == one.tensors.end()) {
    return false;
  }
  const ReferenceTensor& expected = found->second;
  const auto actual = executor.output(name.ours);
  if (!actual) {
    ADD_FAILURE() << actual.error().message;
    return true;
  }
  const auto tolerance = fixture.tolerance(name.reference);
  const std::size_t width = name.is_one_number ? 1 : static_cast<std::size_t>(expected.shape.back());
  EXPECT_EQ(actual->columns, width);
  std::size_t at = 0;
  for (std::size_t row = 0; row < one.rows(); ++row) {
    const std::string what = one.name + " " + name.reference + " row " + std::to_string(row);
    if (expected.shape.size() == 2 && !name.is_one_number) {
      expect_close(actual->row(at++), expected.floats.data() + row * width, width, tolerance, what);
      continue;
    }
    for (const std::size_t column : one.kept(row)) {
      expect_close(actual->row(at++), expected.floats.data() + (row * one.columns() + column) * width, width, tolerance,
                   what + " token " + std::to_string(column));
    }
  }
  EXPECT_EQ(at, actual->rows);
  return true;
}

class EncoderFixture : public testing::TestWithParam<const char*> {};

TEST_P(EncoderFixture, AnswersWhatPyTorchAnswers) {
  SHOAL_FIXTURE_OR_SKIP(fixture, GetParam());
  Serial serial;
  const LoadedModel loaded = load_model(fixture->path, serial);
  auto executor = runtime::Executor::make(loaded.model.plan, loaded.weights, limits(), serial);
  ASSERT_TRUE(executor) << executor.error().message;
  for (const ReferenceCase& one : fixture->cases) {
    std::vector<std::vector<std::int32_t>> tokens;
    std::vector<std::vector<std::int32_t>> types;
    for (std::size_t row = 0; row < one.rows(); ++row) {
      tokens.push_back(one.tokens(row));
      const bool has_types = one.tensors.contains("input.token_type_ids");
      types.push_back(has_types ? one.tokens(row, "input.token_type_ids") : std::vector<std::int32_t>());
    }
    std::vector<runtime::Row> rows;
    for (std::uint32_t row = 0; row < tokens.size(); ++row) {
      rows.push_back({.tokens = tokens[row], .token_types = types[row], .slot = row, .wants_every_output = true});
    }
    const auto step = runtime::make_step(rows);
    ASSERT_TRUE(step) << step.error().message;
    const auto done = (*executor)->run("encode", *step);
    ASSERT_TRUE(done) << done.error().message;
    int compared = 0;
    for (const OutputName& name : kOutputs) {
      compared += expect_output(*fixture, one, **executor, name) ? 1 : 0;
    }
    EXPECT_EQ(compared, std::ssize(one.facts.at("outputs")));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EncoderFixture,
                         testing::Values("bert", "bert_mlm", "bert_qa", "distilbert", "roberta", "xlm-roberta",
                                         "electra", "albert"),
                         [](const auto& name) {
                           std::string out = name.param;
                           std::replace(out.begin(), out.end(), '-', '_');
                           return out;
                         });

}  // namespace
}  // namespace shoal::test
