#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/models/bert_graph.hpp"
#include "server/models/embedding_config.hpp"
#include "server/models/embedding_inputs.hpp"
#include "server/models/repository.hpp"
#include "server/text/tokenizer.hpp"
#include "tests/server/models/models_for_test.hpp"

namespace shoal::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kTokenizer = R"({"version": "1.0", "added_tokens": [], "normalizer": null,
  "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
  "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "[PAD]": 5, "a": 2, "b": 3}}})";

onnx::ModelProto encoder(int id_type = onnx::TensorProto::INT64) {
  return make_model({{"input_ids", id_type, {"batch_size", "sequence_length"}},
                     {"attention_mask", id_type, {"batch_size", "sequence_length"}},
                     {"token_type_ids", id_type, {"batch_size", "sequence_length"}}},
                    {{"last_hidden_state", onnx::TensorProto::FLOAT, {"batch_size", "sequence_length", "6"}}});
}

class EmbeddingTest : public testing::Test {
 protected:
  EmbeddingTest() {
    write("model.onnx", bytes_of(encoder()));
    write("tokenizer.json", kTokenizer);
    write("config.json", R"({"model_type":"bert","max_position_embeddings":40,"hidden_size":6,"pad_token_id":0})");
  }
  void write(const std::string& file, std::string_view text) { folder_.write("models/m/1/" + file, text); }
  ModelPtr load() {
    Repository repository({.root = folder_.path() / "models", .store = {}}, Log::discard());
    const auto found = snapshot_of(repository)->find("m");
    EXPECT_TRUE(found) << found.error().message;
    return *found;
  }
  TempFolder folder_;
};

TEST_F(EmbeddingTest, APlainEncoderFolderIsMeanPooled) {
  const auto model = load();
  ASSERT_TRUE(model->embedding) << model->no_embedding_reason;
  EXPECT_EQ(model->embedding->max_tokens, 40U);
  EXPECT_EQ(model->embedding->pad_id, 5U);
  EXPECT_EQ(model->embedding->width, 6U);
  EXPECT_EQ(model->embedding->pooling.kind, Pooling::Kind::kMean);
  EXPECT_FALSE(model->embedding->pooling.normalize);
  EXPECT_EQ(model->embedding->pooling.output, "last_hidden_state");
  EXPECT_EQ(model->embedding->pooling.mask, "attention_mask");
  EXPECT_EQ(model->webnn_buckets, (Buckets{{"batch_size", {1}}, {"sequence_length", {32, 40}}}));
}

TEST_F(EmbeddingTest, SentenceTransformersFilesDecide) {
  write("modules.json", R"([{"idx":0,"path":"","type":"sentence_transformers.models.Transformer"},
    {"idx":1,"path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
    {"idx":2,"path":"2_Normalize","type":"sentence_transformers.models.Normalize"}])");
  write("1_Pooling/config.json", R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})");
  const auto model = load();
  ASSERT_TRUE(model->embedding) << model->no_embedding_reason;
  EXPECT_EQ(model->embedding->pooling.kind, Pooling::Kind::kCls);
  EXPECT_TRUE(model->embedding->pooling.normalize);
}

TEST_F(EmbeddingTest, PositionsOfRobertaStartLater) {
  write("config.json", R"({"model_type":"roberta","max_position_embeddings":514,"pad_token_id":1})");
  EXPECT_EQ(load()->embedding->max_tokens, 512U);
  write("config.json", "{}");
  write("sentence_bert_config.json", R"({"max_seq_length":99})");
  EXPECT_EQ(load()->embedding->max_tokens, 99U);
}

TEST_F(EmbeddingTest, WhatCannotBeServedSaysWhyAndTheModelStaysUp) {
  const auto reason_with = [this](const std::string& file, std::string_view text) {
    const auto model = load();
    EXPECT_TRUE(model->embedding);
    const auto path = folder_.path() / "models/m/1" / file;
    const bool was_there = std::filesystem::exists(path);
    std::string before;
    if (was_there) {
      std::ifstream in(path, std::ios::binary);
      before.assign(std::istreambuf_iterator<char>(in), {});
    }
    write(file, text);
    const std::string reason = load()->no_embedding_reason;
    if (was_there) {
      write(file, before);
    } else {
      std::filesystem::remove(path);
    }
    return reason;
  };
  EXPECT_THAT(reason_with("tokenizer.json", "{}"), HasSubstr("cannot read tokenizer.json"));
  EXPECT_THAT(reason_with("config.json", "{"), HasSubstr("is not JSON"));
  EXPECT_THAT(reason_with("config.json", R"({"max_position_embeddings":-3})"), HasSubstr("not a usable limit"));
  EXPECT_THAT(reason_with("modules.json", "{}"), HasSubstr("not a list"));
  EXPECT_THAT(reason_with("modules.json", R"([{"type":"sentence_transformers.models.Dense"}])"), HasSubstr("'Dense'"));
  EXPECT_THAT(reason_with("modules.json", R"([{"type":"x.Pooling","path":"../.."}])"), HasSubstr("leaves"));
  EXPECT_THAT(reason_with("1_Pooling/config.json", R"({"pooling_mode_max_tokens":true})"), HasSubstr("exactly one"));
  EXPECT_THAT(reason_with("model.onnx", bytes_of(two_inputs())), HasSubstr("is not one of a sentence encoder"));
  folder_.write("models/m/config.pbtxt", "parameters { key: 'shoal_embedding' value { string_value: 'off' } }");
  EXPECT_THAT(load()->no_embedding_reason, HasSubstr("off"));
}

TEST_F(EmbeddingTest, ModelsWithTheSameTokenizerShareIt) {
  for (const char* file : {"model.onnx", "tokenizer.json", "config.json"}) {
    std::filesystem::create_directories(folder_.path() / "models/twin/1");
    std::filesystem::copy_file(folder_.path() / "models/m/1" / file, folder_.path() / "models/twin/1" / file);
  }
  Repository repository({.root = folder_.path() / "models", .store = {}}, Log::discard());
  const auto first = snapshot_of(repository);
  EXPECT_EQ((*first->find("m"))->embedding->tokenizer, (*first->find("twin"))->embedding->tokenizer);
  const auto second = snapshot_of(repository);
  EXPECT_EQ((*first->find("m"))->embedding->tokenizer, (*second->find("m"))->embedding->tokenizer);
}

template <class Integer>
std::vector<Integer> values(const Tensor& tensor) {
  std::vector<Integer> out(tensor.data.size() / sizeof(Integer));
  std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
  return out;
}

TEST_F(EmbeddingTest, BuildsPaddedInputs) {
  const auto model = load();
  const std::vector<text::Tokens> rows = {{{2, 3, 2}, {0, 0, 1}}, {{3}, {0}}};
  const auto inputs = build_embedding_inputs(*model, rows);
  ASSERT_TRUE(inputs);
  ASSERT_EQ(inputs->size(), 3U);
  EXPECT_THAT((*inputs)[0].shape, ElementsAre(2, 3));
  EXPECT_THAT(values<std::int64_t>((*inputs)[0]), ElementsAre(2, 3, 2, 3, 5, 5));
  EXPECT_THAT(values<std::int64_t>((*inputs)[1]), ElementsAre(1, 1, 1, 1, 0, 0));
  EXPECT_THAT(values<std::int64_t>((*inputs)[2]), ElementsAre(0, 0, 1, 0, 0, 0));
}

TEST_F(EmbeddingTest, BuildsInt32WhereTheGraphSaysSo) {
  write("model.onnx", bytes_of(encoder(onnx::TensorProto::INT32)));
  const std::vector<text::Tokens> rows = {{{2, 3}, {0, 0}}};
  const auto inputs = build_embedding_inputs(*load(), rows);
  EXPECT_EQ((*inputs)[0].datatype, DataType::kInt32);
  EXPECT_THAT(values<std::int32_t>((*inputs)[0]), ElementsAre(2, 3));
}

TEST_F(EmbeddingTest, RefusesEmptyAndTooLongRows) {
  const auto model = load();
  EXPECT_EQ(build_embedding_inputs(*model, {}).error().code, Code::kInvalidArgument);
  const std::vector<text::Tokens> empty = {{{}, {}}};
  EXPECT_EQ(build_embedding_inputs(*model, empty).error().code, Code::kInvalidArgument);
  const std::vector<text::Tokens> edge = {{std::vector<std::uint32_t>(40, 2), std::vector<std::uint32_t>(40, 0)}};
  EXPECT_TRUE(build_embedding_inputs(*model, edge));
  const std::vector<text::Tokens> longer = {{std::vector<std::uint32_t>(41, 2), std::vector<std::uint32_t>(41, 0)}};
  const auto refused = build_embedding_inputs(*model, longer);
  EXPECT_EQ(refused.error().code, Code::kContextLengthExceeded);
  EXPECT_THAT(refused.error().message, HasSubstr("maximum context length is 40 tokens, however you requested 41"));
}

TEST_F(EmbeddingTest, TheFixtureEncoderIsImportedAndServed) {
  const char* fixtures = std::getenv("SHOAL_FIXTURES");
  if (fixtures == nullptr) {
    GTEST_SKIP() << "SHOAL_FIXTURES is not set: the model fixtures are not here";
  }
  std::filesystem::remove_all(folder_.path() / "models/m/1");
  const auto done =
      import_sentence_encoder(std::filesystem::path(fixtures) / "models/bert", folder_.path() / "models/m/1");
  ASSERT_TRUE(done) << done.error().message;
  const auto model = load();
  ASSERT_TRUE(model->embedding) << model->no_embedding_reason;
  EXPECT_EQ(model->embedding->max_tokens, 128U);
  EXPECT_EQ(model->embedding->width, 64U);
  EXPECT_EQ(model->max_batch_size, 32);
}

}  // namespace
}  // namespace shoal::models
