#include "server/models/bert_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "server/models/bert_graph.hpp"
#include "server/models/onnx_signature.hpp"
#include "tests/server/models/models_for_test.hpp"

namespace shoal::models {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

nlohmann::json config() {
  return {{"model_type", "bert"}, {"vocab_size", 11},       {"max_position_embeddings", 7}, {"type_vocab_size", 2},
          {"hidden_size", 4},     {"intermediate_size", 8}, {"num_hidden_layers", 1},       {"num_attention_heads", 2},
          {"hidden_act", "gelu"}, {"layer_norm_eps", 1e-5}};
}

// A checkpoint of zeros; every dimension named in `shapes`.
std::string checkpoint(const std::map<std::string, std::vector<int>>& shapes) {
  nlohmann::json header;
  std::size_t offset = 0;
  for (const auto& [name, shape] : shapes) {
    std::size_t size = sizeof(float);
    for (const int dim : shape) {
      size *= static_cast<std::size_t>(dim);
    }
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {offset, offset + size}}};
    offset += size;
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  return file + text + std::string(offset, '\0');
}

std::map<std::string, std::vector<int>> shapes() {
  std::map<std::string, std::vector<int>> out = {{"embeddings.word_embeddings.weight", {11, 4}},
                                                 {"embeddings.position_embeddings.weight", {7, 4}},
                                                 {"embeddings.token_type_embeddings.weight", {2, 4}}};
  const auto linear = [&out](const std::string& path, int to, int from) {
    out[path + ".weight"] = {to, from};
    out[path + ".bias"] = {to};
  };
  const std::string layer = "encoder.layer.0.";
  for (const char* part :
       {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"}) {
    linear(layer + part, 4, 4);
  }
  linear(layer + "intermediate.dense", 8, 4);
  linear(layer + "output.dense", 4, 8);
  for (const std::string& norm :
       {std::string("embeddings.LayerNorm"), layer + "attention.output.LayerNorm", layer + "output.LayerNorm"}) {
    out[norm + ".weight"] = out[norm + ".bias"] = {4};
  }
  return out;
}

Status import_with(const TempFolder& folder, const nlohmann::json& json, const std::string& weights) {
  folder.write("source/config.json", json.dump());
  folder.write("source/model.safetensors", weights);
  return import_bert(folder.path() / "source", folder.path() / "out.onnx");
}

TEST(BertConfig, ReadsAndRefuses) {
  const auto parsed = parse_bert_config(config().dump());
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->head_size(), 2);
  EXPECT_EQ(parsed->activation, Activation::kGelu);
  const std::tuple<const char*, nlohmann::json, Code, const char*> cases[] = {
      {"model_type", "roberta", Code::kOperatorNotSupported, "model_type is 'roberta'"},
      {"hidden_act", "gelu_new", Code::kOperatorNotSupported, "hidden_act 'gelu_new'"},
      {"position_embedding_type", "relative_key", Code::kOperatorNotSupported, "relative_key"},
      {"is_decoder", true, Code::kOperatorNotSupported, "decoder"},
      {"hidden_size", 0, Code::kInvalidArgument, "hidden_size must be a number from 1"},
      {"hidden_size", "4", Code::kInvalidArgument, "hidden_size"},
      {"num_attention_heads", 3, Code::kInvalidArgument, "no multiple"},
      {"num_hidden_layers", 100'000, Code::kInvalidArgument, "num_hidden_layers"},
  };
  for (const auto& [key, value, code, message] : cases) {
    auto changed = config();
    changed[key] = value;
    const auto refused = parse_bert_config(changed.dump());
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().code, code) << key;
    EXPECT_THAT(refused.error().message, HasSubstr(message));
  }
  EXPECT_FALSE(parse_bert_config("[]"));
  EXPECT_FALSE(parse_bert_config("{"));
}

TEST(BertGraph, HasTheSignatureOfAnEncoder) {
  const TempFolder folder;
  const auto done = import_with(folder, config(), checkpoint(shapes()));
  ASSERT_TRUE(done) << done.error().message;
  const auto signature = read_onnx_signature(folder.path() / "out.onnx");
  ASSERT_TRUE(signature);
  ASSERT_EQ(signature->inputs.size(), 3U);
  EXPECT_THAT(signature->inputs[2].dim_names, ElementsAre("batch_size", "sequence_length"));
  EXPECT_THAT(signature->outputs[0].dims, ElementsAre(-1, -1, 4));
  EXPECT_EQ(signature->opset, 17);
}

TEST(BertGraph, AcceptsThePrefixAndTheOldNamesOfNorms) {
  const TempFolder folder;
  std::map<std::string, std::vector<int>> renamed;
  for (const auto& [name, shape] : shapes()) {
    std::string fresh = "bert." + name;
    for (const auto& [now, then] :
         {std::pair("LayerNorm.weight", "LayerNorm.gamma"), {"LayerNorm.bias", "LayerNorm.beta"}}) {
      if (fresh.ends_with(now)) {
        fresh.replace(fresh.size() - std::strlen(now), std::string::npos, then);
      }
    }
    renamed[fresh] = shape;
  }
  const auto done = import_with(folder, config(), checkpoint(renamed));
  EXPECT_TRUE(done) << done.error().message;
}

TEST(BertGraph, RefusesWeightsThatDoNotFitAndWritesNothing) {
  const TempFolder folder;
  auto missing = shapes();
  missing.erase("encoder.layer.0.output.dense.bias");
  EXPECT_THAT(import_with(folder, config(), checkpoint(missing)).error().message,
              HasSubstr("no tensor 'encoder.layer.0.output.dense.bias'"));
  auto wide = shapes();
  wide["embeddings.word_embeddings.weight"] = {12, 4};
  EXPECT_THAT(import_with(folder, config(), checkpoint(wide)).error().message,
              HasSubstr("'embeddings.word_embeddings.weight' has another shape"));
  EXPECT_FALSE(import_with(folder, config(), "not safetensors at all"));
  EXPECT_EQ(import_bert(folder.path() / "none", folder.path() / "out.onnx").error().code, Code::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out.onnx"));
}

}  // namespace
}  // namespace shoal::models
