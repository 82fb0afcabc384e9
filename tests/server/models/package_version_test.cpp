#include "server/models/package_version.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/runtime/memory.hpp"
#include "inference/model_config.pb.h"
#include "server/models/embedding_inputs.hpp"
#include "server/models/generation_config.hpp"
#include "server/models/read_file.hpp"
#include "tests/server/models/models_for_test.hpp"
#include "tests/server/models/package_for_test.hpp"

namespace shoal::models {
namespace {

using testing::HasSubstr;

constexpr std::string_view kTokenizer = R"({"version": "1.0", "added_tokens": [], "normalizer": null,
  "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
  "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "[PAD]": 5, "a": 2, "b": 3}}})";

class PackageVersionTest : public testing::Test {
 protected:
  PackageVersionTest() {
    Serial serial;
    description_ = write_package(root(), "m", test::small_bert(serial));
    folder_.write("models/m/1/tokenizer.json", kTokenizer);
  }
  [[nodiscard]] std::filesystem::path root() const { return folder_.path() / "models"; }
  Result<ModelPtr> find(const std::string& name = "m") {
    Repository repository({.root = root(), .store = {}}, Log::discard());
    return snapshot_of(repository)->find(name);
  }
  std::string reason() {
    const auto found = find();
    return found ? "found" : found.error().message;
  }
  void config(std::string_view text) { folder_.write("models/m/config.pbtxt", text); }

  TempFolder folder_;
  package::Description description_;
};

TEST_F(PackageVersionTest, AnEncoderIsServedAsPaddedBatches) {
  const auto found = find();
  ASSERT_TRUE(found) << found.error().message;
  const ModelVersion& model = **found;
  EXPECT_EQ(model.platform, "shoal_plan");
  EXPECT_EQ(model.config->platform(), "shoal_plan");
  EXPECT_EQ(model.backends, std::vector{Backend::kWasm});
  ASSERT_EQ(model.inputs.size(), 3U);
  EXPECT_EQ(model.inputs[0].name, "input_ids");
  EXPECT_EQ(model.inputs[1].name, "attention_mask");
  EXPECT_EQ(model.inputs[2].name, "token_type_ids");
  EXPECT_EQ(model.inputs[2].datatype, DataType::kInt64);
  EXPECT_FALSE(model.config->input(0).optional());
  EXPECT_TRUE(model.config->input(1).optional() && model.config->input(2).optional());
  EXPECT_EQ(model.output("last_hidden_state")->dims, (Shape{-1, -1, 16}));
  EXPECT_EQ(model.output("embedding")->dims, (Shape{-1, 16}));
  EXPECT_EQ(model.max_batch_size, 32);
  EXPECT_TRUE(model.config->has_dynamic_batching());
  EXPECT_EQ(model.plan->variant, "q4");
  EXPECT_EQ(model.plan->bits, 4U);
  EXPECT_EQ(model.plan->limits, (std::map<std::string, std::uint64_t>{{"B", 32}, {"T", 640}, {"R", 640}}));
}

TEST_F(PackageVersionTest, ItsFilesAreThePlanAndTheShardsInOrder) {
  const auto model = find().value();
  EXPECT_EQ(model->graph.sha256, description_.variants[0].plan.sha256);
  Digests digests({});
  const auto files = read_package_files(root() / "m/1", description_.variants[0], digests).value();
  ASSERT_EQ(model->external.size(), files.plan.shards.size());
  for (std::size_t index = 0; index < files.plan.shards.size(); ++index) {
    EXPECT_EQ(model->external[index].location, files.plan.shards[index].sha256);
    EXPECT_EQ(model->external[index].blob.size, files.plan.shards[index].bytes);
  }
  EXPECT_EQ(blobs_of(*model).size(), 1 + files.plan.shards.size());
}

TEST_F(PackageVersionTest, ItMakesEmbeddingsByItsOwnOutput) {
  const auto model = find().value();
  ASSERT_TRUE(model->embedding) << model->no_embedding_reason;
  EXPECT_EQ(model->embedding->pooled_output, "embedding");
  EXPECT_EQ(model->embedding->width, 16U);
  EXPECT_EQ(model->embedding->max_tokens, 20U);
  EXPECT_EQ(model->embedding->pad_id, 5U);
  const text::Tokens row{.ids = {2, 3}, .type_ids = {}};
  EXPECT_EQ(build_embedding_inputs(*model, {&row, 1})->size(), 3U);
  std::filesystem::remove(root() / "m/1/tokenizer.json");
  EXPECT_THAT(find().value()->no_embedding_reason, HasSubstr("tokenizer.json"));
}

TEST_F(PackageVersionTest, TheConfigurationDecidesWhereItMay) {
  config("max_batch_size: 4 platform: 'shoal_plan' parameters { key: 'shoal_variant' value { string_value: 'q4' } }");
  const auto model = find();
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->plan->limits.at("T"), 80U);
  config("parameters { key: 'shoal_variant' value { string_value: 'q2' } }");
  EXPECT_THAT(reason(), HasSubstr("the package has no variant 'q2'; it has: q4"));
  config("parameters { key: 'shoal_backend' value { string_value: 'wasm,webgpu' } }");
  EXPECT_THAT(reason(), HasSubstr("packages run on 'wasm', not on 'webgpu'"));
  config("max_batch_size: 100000");
  EXPECT_THAT(reason(), HasSubstr("max_batch_size: 100000 rows of 20 tokens"));
  config("platform: 'onnxruntime_onnx'");
  EXPECT_THAT(reason(), HasSubstr("platform is 'onnxruntime_onnx'"));
  config("parameters { key: 'shoal_embedding' value { string_value: 'off' } }");
  EXPECT_EQ(find().value()->no_embedding_reason, "shoal_embedding is off");
}

TEST_F(PackageVersionTest, FilesThatAreNotThoseOfThePackageAreNamed) {
  const std::string file = description_.variants[0].plan.file;
  const std::string plan = *read_file(root() / "m/1" / file, 1U << 20);
  folder_.write("models/m/1/" + file, plan + "x");
  EXPECT_THAT(reason(), testing::AllOf(HasSubstr(file), HasSubstr("the package says")));
  folder_.write("models/m/1/" + file, plan);
  const auto shard = find().value()->external[0].blob;
  folder_.write("models/m/1/" + shard.sha256 + ".weights", std::string(shard.size, 'x'));
  EXPECT_THAT(reason(), HasSubstr(shard.sha256 + ".weights"));
  std::filesystem::remove(shard.path);
  EXPECT_THAT(reason(), HasSubstr(shard.sha256 + ".weights"));
}

TEST_F(PackageVersionTest, ABrokenDescriptionIsNamedByItsField) {
  auto json = nlohmann::json::parse(package::write_description(description_));
  json["variants"][0]["plan"]["bytes"] = "many";
  folder_.write("models/m/1/package.json", json.dump());
  EXPECT_THAT(reason(), HasSubstr("package.json: variants[0].plan.bytes: expected a whole number"));
  description_.embedding->output = "sentence";
  folder_.write("models/m/1/package.json", package::write_description(description_));
  EXPECT_THAT(reason(), HasSubstr("embedding.output: the plan has no output 'sentence' [batch, 16]"));
}

class GeneratorTest : public PackageVersionTest {
 protected:
  GeneratorTest() {
    Serial serial;
    description_ = write_package(root(), "chat", test::small_llama(serial));
  }
  std::string reason() {
    const auto found = find("chat");
    return found ? "found" : found.error().message;
  }
  void config(std::string_view text) { folder_.write("models/chat/config.pbtxt", text); }
};

TEST_F(GeneratorTest, WithoutATokenizerTokensAreContinued) {
  const auto model = find("chat").value();
  ASSERT_TRUE(model->generation);
  EXPECT_EQ(model->platform, "shoal_plan");
  EXPECT_EQ(model->max_batch_size, 0);
  EXPECT_TRUE(model->is_decoupled);
  EXPECT_TRUE(model->config->model_transaction_policy().decoupled());
  ASSERT_EQ(model->inputs.size(), 5U);
  EXPECT_EQ(model->inputs[0].name, "tokens");
  EXPECT_FALSE(model->inputs[0].is_optional);
  for (const char* name : {"stream", "sampling_parameters", "exclude_input_in_output", "stop"}) {
    ASSERT_NE(model->input(name), nullptr) << name;
    EXPECT_TRUE(model->input(name)->is_optional);
  }
  EXPECT_EQ(model->generation->tokenizer, nullptr);
  EXPECT_THAT(model->generation->no_chat_reason, HasSubstr("tokenizer.json"));
  EXPECT_EQ(model->generation->context, 4096U);  // nothing bounds its positions
  EXPECT_EQ(model->generation->vocabulary, description_.vocabulary);
  EXPECT_EQ(model->plan->limits.at("S"), 4096U);
  EXPECT_EQ(model->plan->limits.at("T"), 128U);
  // As many as a gigabyte of keys and values has room for: this model's are small.
  EXPECT_EQ(model->generation->parallel, 16U);
  for (const char* symbol : {"B", "N", "R"}) {
    EXPECT_EQ(model->plan->limits.at(symbol), 16U);
  }
  EXPECT_FALSE(model->embedding);
}

TEST_F(GeneratorTest, ATokenizerMakesItTextAndATemplateAChat) {
  folder_.write("models/chat/1/tokenizer.json", kTokenizer);
  const auto text = find("chat").value();
  EXPECT_EQ(text->inputs.at(0).name, "text_input");
  EXPECT_EQ(text->inputs.at(0).datatype, DataType::kBytes);
  EXPECT_EQ(text->outputs.at(0).name, "text_output");
  EXPECT_NE(text->generation->tokenizer, nullptr);
  EXPECT_EQ(text->generation->chat_template, nullptr);
  EXPECT_THAT(text->generation->no_chat_reason, HasSubstr("chat_template.jinja"));
  folder_.write("models/chat/1/chat_template.jinja", "{{ messages[0].content }}");
  EXPECT_NE(find("chat").value()->generation->chat_template, nullptr);
  folder_.write("models/chat/1/chat_template.jinja", "{{ messages[0");
  EXPECT_THAT(reason(), HasSubstr("chat_template.jinja"));
}

TEST_F(GeneratorTest, TheContextIsTheOneOfTheConfiguration) {
  const auto with_context = [&](std::string_view value) {
    config(fmt::format(R"(parameters {{ key: "shoal_context" value {{ string_value: "{}" }} }})", value));
  };
  with_context("12");
  EXPECT_EQ(find("chat").value()->generation->context, 12U);
  EXPECT_EQ(find("chat").value()->plan->limits.at("S"), 12U);
  EXPECT_EQ(find("chat").value()->plan->limits.at("T"), 16U) << "one token of each answer";
  for (const char* wrong : {"1", "many", "", "-3", "999999999"}) {
    with_context(wrong);
    EXPECT_THAT(reason(), HasSubstr("shoal_context")) << wrong;
  }
  const auto file = root() / "chat/1/package.json";
  auto package = nlohmann::json::parse(read_file(file, 1U << 20U).value());
  package["context"] = 24;
  folder_.write("models/chat/1/package.json", package.dump());
  with_context("25");
  EXPECT_THAT(reason(), HasSubstr("25, the model has 24 positions"));
  with_context("24");
  EXPECT_EQ(find("chat").value()->generation->context, 24U);
}

TEST_F(GeneratorTest, BitsOfKeysAndValuesAreThoseOfTheConfiguration) {
  const auto bits = [&] {
    const auto limits = find("chat").value()->plan->limits;
    return std::pair(limits.at("K"), limits.at("V"));
  };
  EXPECT_EQ(bits(), std::pair(std::uint64_t{16}, std::uint64_t{16}));
  const auto with_bits = [&](std::string_view value) {
    config(fmt::format(R"(parameters {{ key: "shoal_kv_bits" value {{ string_value: "{}" }} }})", value));
  };
  with_bits("8,4");
  EXPECT_EQ(bits(), std::pair(std::uint64_t{8}, std::uint64_t{4}));
  with_bits("32");
  EXPECT_EQ(bits(), std::pair(std::uint64_t{32}, std::uint64_t{32}));
  for (const char* wrong : {"5", "8,", ",8", "8,4,2", "eight", ""}) {
    with_bits(wrong);
    EXPECT_THAT(reason(), HasSubstr("shoal_kv_bits")) << wrong;
  }
}

TEST_F(GeneratorTest, HowManyAnswersGoOnAtOnceIsSaidByTheConfigurationOrByTheMemoryTheyTake) {
  const auto with_parallel = [&](std::string_view value) {
    config(fmt::format(R"(parameters {{ key: "shoal_parallel" value {{ string_value: "{}" }} }})", value));
  };
  with_parallel("3");
  EXPECT_EQ(find("chat").value()->generation->parallel, 3U);
  EXPECT_EQ(find("chat").value()->plan->limits.at("B"), 3U);
  for (const char* wrong : {"0", "17", "two"}) {
    with_parallel(wrong);
    EXPECT_THAT(reason(), HasSubstr("shoal_parallel")) << wrong;
  }
  Digests digests({});
  const auto plan = read_package_files(root() / "chat/1", description_.variants[0], digests).value().plan;
  const runtime::KvBits bits = {.keys = 32, .values = 32};
  GenerationConfig large;
  large.parallel = 16;
  PlanConfig limits;
  for (large.context = 1024; large.parallel == 16; large.context *= 2) {
    large.parallel = 0;
    ASSERT_TRUE(set_limits(plan, bits, large, limits));
  }
  graph::Extents one;
  one[graph::Symbol::kRows] = one[graph::Symbol::kSlots] = one[graph::Symbol::kOutputs] = 1;
  one[graph::Symbol::kTokens] = 128;
  one[graph::Symbol::kContext] = large.context / 2;
  const std::uint64_t state = runtime::memory_of(plan, one, 1, bits).value().state;
  EXPECT_LE(state * large.parallel, kStateBytes);
  EXPECT_GT(state * (large.parallel + 1), kStateBytes);
  EXPECT_EQ(limits.limits.at("N"), large.parallel);
}

TEST_F(GeneratorTest, ItTakesOnePromptARequest) {
  config("max_batch_size: 4");
  EXPECT_THAT(reason(), HasSubstr("max_batch_size"));
  config("max_batch_size: 0");
  EXPECT_EQ(reason(), "found");
  config(R"(parameters { key: "shoal_backend" value { string_value: "webgpu" } })");
  EXPECT_THAT(reason(), HasSubstr("packages run on 'wasm'"));
}

}  // namespace
}  // namespace shoal::models
