#include "engine/archs/build.hpp"

#include <gmock/gmock.h>

#include "engine/archs/decoder.hpp"
#include "tests/engine/support/small_models.hpp"

namespace shoal::archs {
namespace {

// The error of a configuration over the tensors of a small model.
Error error_of(const import::Checkpoint& checkpoint, std::string_view config) {
  const auto model = build_model(*import::Config::parse(config), nullptr, checkpoint);
  return model ? Error{Code::kInternal, "built", {}} : model.error();
}

TEST(Build, NamesWhatIsMissingOrUnknown) {
  Serial serial;
  const auto small = test::small_llama(serial);
  struct Case {
    const char* config;
    Code code;
    const char* param;
  };
  const Case cases[] = {
      {R"({})", Code::kOperatorNotSupported, "model_type"},
      {R"({"model_type": "mamba"})", Code::kOperatorNotSupported, "model_type"},
      {R"({"model_type": "bert"})", Code::kInvalidArgument, "num_attention_heads"},
      {R"({"model_type": "gpt2", "n_head": 2, "n_layer": 1, "n_embd": 16, "vocab_size": 4, "n_positions": 4})",
       Code::kNotFound, "transformer.wte.weight"},
      {R"({"model_type": "llama", "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 3,
           "rms_norm_eps": 1e-5, "num_hidden_layers": 1, "vocab_size": 50})",
       Code::kInvalidArgument, "num_key_value_heads"},
      {R"({"model_type": "llama", "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2,
           "rms_norm_eps": 1e-5, "num_hidden_layers": 3, "vocab_size": 50})",
       Code::kNotFound, "model.layers.2.input_layernorm.weight"},
      {R"({"model_type": "llama", "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2,
           "rms_norm_eps": 1e-5, "num_hidden_layers": 1, "vocab_size": 50, "rope_scaling": {"rope_type": "yarn"}})",
       Code::kOperatorNotSupported, "rope_scaling.rope_type"},
      {R"({"model_type": "llama", "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2,
           "rms_norm_eps": 1e-5, "num_hidden_layers": 1, "vocab_size": 50, "hidden_act": "mish"})",
       Code::kOperatorNotSupported, "hidden_act"},
      {R"({"model_type": "llama", "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2,
           "rms_norm_eps": 1e-5, "num_hidden_layers": 4000000, "vocab_size": 50})",
       Code::kNotFound, "model.layers.2.input_layernorm.weight"},
  };
  for (const Case& one : cases) {
    const Error error = error_of(small.checkpoint, one.config);
    EXPECT_EQ(error.code, one.code) << error.message;
    EXPECT_EQ(error.param, one.param) << error.message;
    EXPECT_FALSE(error.message.empty());
  }
  EXPECT_THAT(known_architectures(), testing::IsSupersetOf({"bert", "llama", "t5"}));
}

TEST(Build, GenerationConfigWinsOverConfig) {
  Serial serial;
  const auto small = test::small_llama(serial);
  auto config = *import::Config::parse(test::kSmallLlama);
  EXPECT_EQ(build_model(config, nullptr, small.checkpoint)->facts.eos, (std::vector<std::int32_t>{49}));
  auto generation = *import::Config::parse(R"({"eos_token_id": [1, 2]})");
  EXPECT_EQ(build_model(config, &generation, small.checkpoint)->facts.eos, (std::vector<std::int32_t>{1, 2}));
  auto wrong = *import::Config::parse(R"({"eos_token_id": "end"})");
  EXPECT_THAT(build_model(config, &wrong, small.checkpoint).error().message,
              testing::HasSubstr("generation_config.json"));
}

// Values of transformers' build_alibi_tensor.
TEST(AlibiSlopes, AreThoseOfTheReferenceForPowersOfTwoAndOthers) {
  EXPECT_THAT(alibi_slopes(2), testing::Pointwise(testing::FloatEq(), {0.0625F, 0.00390625F}));
  EXPECT_THAT(alibi_slopes(3), testing::Pointwise(testing::FloatEq(), {0.0625F, 0.00390625F, 0.25F}));
  EXPECT_THAT(alibi_slopes(6),
              testing::Pointwise(testing::FloatEq(), {0.25F, 0.0625F, 0.015625F, 0.00390625F, 0.5F, 0.125F}));
}

}  // namespace
}  // namespace shoal::archs
