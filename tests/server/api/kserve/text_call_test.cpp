// What a KServe request for text says, in parameters and in the inputs of Triton's backend for vLLM.
#include "server/api/kserve/text_call.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace shoal::api::kserve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Ids = std::vector<std::uint32_t>;

Tensor bytes(std::string name, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  Tensor tensor{.name = std::move(name), .datatype = DataType::kBytes, .shape = {1}, .data = {}};
  tensor.data.assign(reinterpret_cast<const char*>(&size), sizeof(size));
  tensor.data += text;
  return tensor;
}

Tensor flag(std::string name, bool value) {
  return {.name = std::move(name), .datatype = DataType::kBool, .shape = {1}, .data = std::string(1, value ? 1 : 0)};
}

std::string refusal(const std::vector<Tensor>& inputs, const wire::Parameters& parameters = {}) {
  const auto text = text_request(inputs, parameters);
  return text ? "taken" : text.error().message;
}

TEST(TextCallTest, ItsDefaultsAreThoseOfVllm) {
  const auto text = text_request(std::vector{bytes("text_input", "hello")}, {}).value();
  EXPECT_EQ(std::get<std::string>(text.prompt), "hello");
  EXPECT_EQ(text.max_tokens, 16U);
  EXPECT_EQ(text.sampling.temperature, 0);
  EXPECT_TRUE(text.is_streamed);
  EXPECT_FALSE(text.ignores_eos);
}

TEST(TextCallTest, ParametersSayTheRest) {
  const auto text = text_request(std::vector{bytes("text_input", "hello")}, {{"max_tokens", std::int64_t{3}},
                                                                             {"temperature", 0.5},
                                                                             {"top_k", std::int64_t{40}},
                                                                             {"top_p", 0.9},
                                                                             {"seed", std::int64_t{7}},
                                                                             {"stop", std::string("END")},
                                                                             {"cache_salt", std::string("mine")},
                                                                             {"stream", false},
                                                                             {"ignore_eos", true},
                                                                             {"priority", std::int64_t{1}}})
                        .value();
  EXPECT_EQ(text.max_tokens, 3U);
  EXPECT_EQ(text.sampling.temperature, 0.5F);
  EXPECT_EQ(text.sampling.top_k, 40U);
  EXPECT_EQ(text.sampling.top_p, 0.9F);
  EXPECT_EQ(text.sampling.seed, 7U);
  EXPECT_THAT(text.stop, ElementsAre("END"));
  EXPECT_EQ(text.cache_salt, "mine");
  EXPECT_FALSE(text.is_streamed);
  EXPECT_TRUE(text.ignores_eos);
}

TEST(TextCallTest, SoDoTheInputsOfTritonsBackendForVllm) {
  const std::vector inputs = {flag("stream", false),
                              bytes("sampling_parameters", R"({"max_tokens": 5, "temperature": 0.25, "n_best": 1})"),
                              flag("exclude_input_in_output", true), bytes("text_input", "hello")};
  const auto text = text_request(inputs, {{"max_tokens", std::int64_t{6}}, {"stream", true}}).value();
  EXPECT_EQ(std::get<std::string>(text.prompt), "hello");
  EXPECT_EQ(text.max_tokens, 6U) << "the request's own parameter goes before it";
  EXPECT_EQ(text.sampling.temperature, 0.25F);
  EXPECT_FALSE(text.is_streamed);
}

TEST(TextCallTest, ThereMayBeSeveralStops) {
  Tensor stop = bytes("stop", "END");
  stop.data += bytes("", "\n\n").data;
  stop.shape = {2};
  const auto text = text_request(std::vector{bytes("text_input", "hello"), stop}, {}).value();
  EXPECT_THAT(text.stop, ElementsAre("END", "\n\n"));
  stop.data += bytes("", "").data;
  EXPECT_THAT(refusal({bytes("text_input", "hello"), stop}), HasSubstr("'stop' must be 1 to 16 strings"));
}

TEST(TextCallTest, TokensAreAPromptToo) {
  const std::array<std::int32_t, 2> ids = {5, 6};
  const Tensor tokens{.name = "tokens",
                      .datatype = DataType::kInt32,
                      .shape = {2},
                      .data = std::string(reinterpret_cast<const char*>(ids.data()), sizeof(ids))};
  EXPECT_THAT(std::get<Ids>(text_request(std::vector{flag("stream", true), tokens}, {})->prompt), ElementsAre(5U, 6U));
}

TEST(TextCallTest, WhatIsWrongIsNamed) {
  const std::vector hello = {bytes("text_input", "hello")};
  EXPECT_THAT(refusal(hello, {{"max_tokens", std::int64_t{0}}}), HasSubstr("'max_tokens' must be an integer from 1"));
  EXPECT_THAT(refusal(hello, {{"top_p", 0.0}}), HasSubstr("top_p"));
  EXPECT_THAT(refusal(hello, {{"temperature", std::string("hot")}}), HasSubstr("temperature"));
  EXPECT_THAT(refusal(hello, {{"seed", -1.0}}), HasSubstr("seed"));
  EXPECT_THAT(refusal(hello, {{"stop", std::string()}}), HasSubstr("stop"));
  EXPECT_THAT(refusal(hello, {{"stop", std::string(257, 'x')}}), HasSubstr("1 to 256 bytes"));
  EXPECT_THAT(refusal({hello[0], bytes("sampling_parameters", "[1]")}), HasSubstr("sampling_parameters"));
  EXPECT_THAT(refusal({hello[0], bytes("sampling_parameters", R"({"top_k": "all"})")}),
              HasSubstr("sampling_parameters: parameter 'top_k'"));
  EXPECT_THAT(refusal({hello[0], bytes("sampling_parameters", R"({} {})")}), HasSubstr("sampling_parameters"));
  EXPECT_THAT(refusal({hello[0], flag("exclude_input_in_output", false)}), HasSubstr("must be true"));
}

}  // namespace
}  // namespace shoal::api::kserve
