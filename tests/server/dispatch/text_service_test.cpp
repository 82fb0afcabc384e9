// Texts through a service that the test answers in place of the dispatcher.
#include "server/dispatch/text_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstring>

#include "server/models/model.hpp"
#include "server/text/grammars.hpp"
#include "tests/server/dispatch/scripted_service.hpp"
#include "tests/server/text/bytes_tokenizer.hpp"

namespace shoal::dispatch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

InferenceResponse tokens(std::string_view text, std::string finish_reason = {}) {
  InferenceResponse response;
  response.worker = "w/0";
  response.finish_reason = std::move(finish_reason);
  Tensor tensor{
      .name = "tokens", .datatype = DataType::kInt32, .shape = {static_cast<std::int64_t>(text.size())}, .data = {}};
  for (const char one : text) {
    const std::int32_t id = static_cast<unsigned char>(one);
    tensor.data.append(reinterpret_cast<const char*>(&id), sizeof(id));
  }
  if (!text.empty()) {
    response.outputs.push_back(std::move(tensor));
  }
  return response;
}

class TextServiceTest : public testing::Test {
 protected:
  TextServiceTest() {
    model->name = "m";
    model->generation.emplace();
    model->generation->tokenizer = text::bytes_tokenizer();
    model->generation->vocabulary = 257;
    model->generation->context = 16;
    model->generation->stop_ids = {256};
  }
  void settle() {
    context.restart();
    context.poll();
  }
  std::uint64_t submit(TextRequest text) {
    InferenceRequest request;
    request.model = model;
    request.received = Clock::now();
    request.text = std::move(text);
    request.partial = [this](InferenceResponse response, std::function<void()> more) {
      told.push_back(response.piece->text);
      more();
    };
    return service.submit(std::move(request), [this](Result<InferenceResponse> result) { ended = std::move(result); });
  }
  // As the dispatcher gives a response that is not the last.
  void give(std::string_view text) {
    behind.requests.back().first.partial(tokens(text), [this] { ++asked; });
  }
  void end(std::string_view text, std::string finish_reason) {
    behind.requests.back().second(tokens(text, std::move(finish_reason)));
  }

  boost::asio::io_context context;
  ScriptedService behind;
  std::shared_ptr<models::ModelVersion> model = std::make_shared<models::ModelVersion>();
  TextService service{context.get_executor(), context.get_executor(), behind, {}};
  std::vector<std::string> told;
  int asked = 0;
  std::optional<Result<InferenceResponse>> ended;
};

TEST_F(TextServiceTest, OtherRequestsPass) {
  InferenceRequest request;
  request.model = model;
  EXPECT_EQ(service.submit(std::move(request), {}), 1U);
  service.cancel(1);
  EXPECT_THAT(behind.cancelled, ElementsAre(1U));
  service.finish(1);
  EXPECT_THAT(behind.finished, ElementsAre(1U));
  EXPECT_EQ(service.server_ready().error().code, Code::kUnavailable);
}

TEST_F(TextServiceTest, ATextBecomesTokensAndTokensBecomeText) {
  submit({.prompt = "hey", .max_tokens = 9, .sampling = {.temperature = 0.5F}});
  settle();
  ASSERT_EQ(behind.requests.size(), 1U);
  const InferenceRequest& inner = behind.requests[0].first;
  EXPECT_FALSE(inner.text);
  ASSERT_EQ(inner.inputs.size(), 1U);
  EXPECT_EQ(inner.inputs[0].shape, Shape{3});
  EXPECT_EQ(inner.generate->max_tokens, 9U);
  EXPECT_THAT(inner.generate->stop_ids, ElementsAre(256U));
  EXPECT_EQ(inner.generate->sampling.temperature, 0.5F);
  EXPECT_GT(inner.deadline, Clock::now() + std::chrono::minutes(5));
  give("ab");
  give("\xC3");  // the first half of a character
  EXPECT_EQ(asked, 2);
  give("\xA9x");
  end("y", "length");
  EXPECT_THAT(told, ElementsAre("ab", "\xC3\xA9x"));
  ASSERT_TRUE(ended && *ended);
  const InferenceResponse& last = **ended;
  EXPECT_EQ(last.piece->text, "y");
  EXPECT_EQ(last.piece->prompt_tokens, 3U);
  EXPECT_EQ(last.piece->completion_tokens, 6U);
  EXPECT_EQ(last.finish_reason, "length");
  EXPECT_EQ(last.worker, "w/0");
  ASSERT_EQ(last.outputs.size(), 1U);
  EXPECT_EQ(last.outputs[0].name, "text_output");
  EXPECT_EQ(last.outputs[0].data, std::string("\1\0\0\0y", 5));
}

TEST_F(TextServiceTest, WithoutAStreamThereIsOneResponse) {
  submit({.prompt = "hey", .max_tokens = 9, .is_streamed = false});
  settle();
  give("ab");
  give("cd");
  EXPECT_EQ(asked, 2);
  end("", "stop");
  EXPECT_TRUE(told.empty());
  EXPECT_EQ((*ended)->piece->text, "abcd");
}

TEST_F(TextServiceTest, AStopStringEndsTheRunAsIfItHadEnded) {
  submit({.prompt = "hey", .max_tokens = 9, .stop = {"END"}});
  settle();
  give("abE");
  EXPECT_THAT(told, ElementsAre("ab"));
  give("NDzz");
  EXPECT_THAT(behind.finished, ElementsAre(1U));
  EXPECT_TRUE(behind.cancelled.empty());
  EXPECT_FALSE(ended);
  end("", "stop");
  EXPECT_EQ((*ended)->piece->text, "");
  EXPECT_EQ((*ended)->finish_reason, "stop");
  EXPECT_EQ((*ended)->piece->completion_tokens, 5U);
}

TEST_F(TextServiceTest, WhatLooksLikeAStopAndIsNoneIsToldAtTheEnd) {
  submit({.prompt = "hey", .max_tokens = 9, .stop = {"END"}});
  settle();
  give("abE");
  end("N", "length");
  EXPECT_EQ((*ended)->piece->text, "EN");
  EXPECT_EQ((*ended)->finish_reason, "length");
}

TEST_F(TextServiceTest, AnAnswerTakesTheRoomThatTheContextHas) {
  submit({.prompt = "0123456789", .max_tokens = std::nullopt, .ignores_eos = true});
  settle();
  EXPECT_EQ(behind.requests.back().first.generate->max_tokens, 6U);
  EXPECT_TRUE(behind.requests.back().first.generate->stop_ids.empty());
  submit({.prompt = "0123456789abcdef", .max_tokens = 1});
  settle();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->error().code, Code::kContextLengthExceeded);
  EXPECT_THAT(ended->error().message, HasSubstr("16 tokens"));
}

TEST_F(TextServiceTest, WhatCannotBeContinuedIsSaid) {
  submit({.prompt = "", .max_tokens = 1});
  settle();
  EXPECT_EQ(ended->error().code, Code::kInvalidArgument);
  submit({.prompt = std::vector<std::uint32_t>{1, 257}, .max_tokens = 1});
  settle();
  EXPECT_THAT(ended->error().message, HasSubstr("257"));
  model->generation->tokenizer = nullptr;
  submit({.prompt = "hey", .max_tokens = 1});
  settle();
  EXPECT_EQ(ended->error().code, Code::kOperatorNotSupported);
  model->generation = std::nullopt;
  submit({.prompt = "hey", .max_tokens = 1});
  settle();
  EXPECT_EQ(ended->error().code, Code::kOperatorNotSupported);
  EXPECT_TRUE(behind.requests.empty());
}

TEST_F(TextServiceTest, WithoutATokenizerTokensAreAnswered) {
  model->generation->tokenizer = nullptr;
  submit({.prompt = std::vector<std::uint32_t>{1, 2}, .max_tokens = 4});
  settle();
  give("ab");
  end("c", "length");
  EXPECT_EQ(told.size(), 1U);
  ASSERT_EQ((*ended)->outputs.size(), 1U);
  EXPECT_EQ((*ended)->outputs[0].name, "tokens");
  EXPECT_EQ((*ended)->outputs[0].shape, Shape{1});
}

TEST_F(TextServiceTest, ACancelReachesWhereverTheRequestIs) {
  const std::uint64_t early = submit({.prompt = "hey", .max_tokens = 4});
  service.cancel(early);
  settle();
  EXPECT_EQ(ended->error().code, Code::kCancelled);
  EXPECT_TRUE(behind.requests.empty());
  const std::uint64_t later = submit({.prompt = "hey", .max_tokens = 4});
  settle();
  service.cancel(later);
  EXPECT_THAT(behind.cancelled, ElementsAre(1U));
}

TEST_F(TextServiceTest, AnErrorAndAForeignAnswerEndIt) {
  submit({.prompt = "hey", .max_tokens = 4});
  settle();
  behind.requests.back().second(fail(Code::kWorkerLost, "gone"));
  EXPECT_EQ(ended->error().code, Code::kWorkerLost);
  submit({.prompt = "hey", .max_tokens = 4});
  settle();
  InferenceResponse foreign = tokens("a");
  foreign.outputs[0].name = "other";
  behind.requests.back().first.partial(std::move(foreign), [] {});
  EXPECT_EQ(ended->error().code, Code::kInternal);
  EXPECT_THAT(behind.cancelled, ElementsAre(2U));
}

bool allows(const std::string& mask, char byte) {
  const auto id = static_cast<unsigned char>(byte);
  return ((static_cast<unsigned char>(mask[id / 8]) >> (id % 8)) & 1U) != 0;
}

class ConstrainedTextTest : public TextServiceTest {
 protected:
  ConstrainedTextTest() {
    model->generation->grammars =
        std::make_shared<const text::Grammars>(model->generation->tokenizer, std::vector<std::uint32_t>{256}, 257);
  }
};

TEST_F(ConstrainedTextTest, EachTokenHasAMaskUntilTheAnswerIsWhole) {
  submit({.prompt = "hey",
          .max_tokens = 9,
          .grammar = AnswerGrammar{.text = R"({"const": 12})", .is_schema = true, .param = "form"}});
  settle();
  ASSERT_EQ(behind.requests.size(), 1U);
  EXPECT_TRUE(behind.requests[0].first.generate->is_masked);
  ASSERT_EQ(behind.masks.size(), 1U);
  EXPECT_TRUE(allows(behind.masks[0], '1'));
  EXPECT_FALSE(allows(behind.masks[0], '2'));
  give("1");
  settle();
  ASSERT_EQ(behind.masks.size(), 2U);
  EXPECT_TRUE(allows(behind.masks[1], '2'));
  EXPECT_FALSE(allows(behind.masks[1], '1'));
  give("2");
  settle();
  // The end may still be the worker's to say: a number could go on in another schema.
  if (behind.finished.empty()) {
    ASSERT_EQ(behind.masks.size(), 3U);
    EXPECT_FALSE(allows(behind.masks[2], '2'));
  }
  end("", "stop");
  EXPECT_THAT(told, ElementsAre("1", "2"));
  EXPECT_EQ((*ended)->finish_reason, "stop");
}

TEST_F(ConstrainedTextTest, AWrongSchemaIsRefusedBeforeAnythingRuns) {
  submit({.prompt = "hey",
          .max_tokens = 9,
          .grammar = AnswerGrammar{.text = R"({"type": "fish"})", .is_schema = true, .param = "form"}});
  settle();
  EXPECT_TRUE(behind.requests.empty());
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->error().code, Code::kInvalidArgument);
  EXPECT_EQ(ended->error().param, "form");
}

TEST_F(ConstrainedTextTest, ATokenThatWasNotAllowedEndsTheAnswer) {
  submit({.prompt = "hey",
          .max_tokens = 9,
          .grammar = AnswerGrammar{.text = R"({"const": 12})", .is_schema = true, .param = "form"}});
  settle();
  give("x");
  settle();
  EXPECT_EQ(ended->error().code, Code::kInternal);
  EXPECT_THAT(behind.cancelled, ElementsAre(1U));
}

TEST_F(TextServiceTest, LogprobsGoWithTheirTokens) {
  submit({.prompt = "hey", .max_tokens = 9, .wants_logprobs = true, .top_logprobs = 2, .is_streamed = false});
  settle();
  EXPECT_TRUE(behind.requests[0].first.generate->wants_logprobs);
  EXPECT_EQ(behind.requests[0].first.generate->top_logprobs, 2U);
  InferenceResponse response = tokens("ab", "stop");
  const auto add = [&](const char* name, DataType type, Shape shape, const auto& values) {
    response.outputs.push_back({.name = name,
                                .datatype = type,
                                .shape = std::move(shape),
                                .data = std::string(reinterpret_cast<const char*>(values.data()), sizeof(values))});
  };
  add("logprobs", DataType::kFp32, {2}, std::array{-1.0F, -2.0F});
  add("top_ids", DataType::kInt32, {2, 2}, std::array{1, 2, 3, 4});
  add("top_logprobs", DataType::kFp32, {2, 2}, std::array{-0.5F, -1.0F, -1.5F, -2.0F});
  behind.requests.back().second(std::move(response));
  const auto& told_of = (*ended)->piece->logprobs;
  ASSERT_EQ(told_of.size(), 2U);
  EXPECT_EQ(told_of[1].logprob, -2.0F);
  EXPECT_THAT(told_of[1].likely, ElementsAre(testing::Pair(3U, -1.5F), testing::Pair(4U, -2.0F)));
}

// What the model was given by the last request.
std::string read_by(const InferenceRequest& request) {
  std::string out;
  for (std::size_t at = 0; at < request.inputs[0].data.size(); at += sizeof(std::int32_t)) {
    out += request.inputs[0].data[at];
  }
  return out;
}

TEST_F(TextServiceTest, ATextThatOutgrowsTheContextGoesOn) {
  InferenceRequest request;
  request.model = model;
  request.received = Clock::now();
  request.text = TextRequest{.prompt = "0123456789", .max_tokens = 20};
  request.text->sampling.seed = 7;
  request.shift = ContextShift{.sinks = 2};
  request.partial = [this](InferenceResponse response, const std::function<void()>& more) {
    told.push_back(response.piece->text);
    more();
  };
  service.submit(std::move(request), [this](Result<InferenceResponse> result) { ended = std::move(result); });
  settle();
  ASSERT_EQ(behind.requests.size(), 1U);
  EXPECT_EQ(behind.requests[0].first.generate->max_tokens, 6U);
  give("abcd");
  end("ef", "length");
  ASSERT_EQ(behind.requests.size(), 2U) << "the context of 16 is full";
  EXPECT_EQ(read_by(behind.requests[1].first), "019abcdef");
  EXPECT_EQ(behind.requests[1].first.generate->max_tokens, 7U);
  EXPECT_EQ(behind.requests[1].first.generate->sampling.seed, 8U);
  give("ghijkl");
  end("m", "length");
  ASSERT_EQ(behind.requests.size(), 3U);
  EXPECT_EQ(read_by(behind.requests[2].first), "01ghijklm");
  EXPECT_EQ(behind.requests[2].first.generate->max_tokens, 7U);
  EXPECT_FALSE(ended);
  end("nopqrst", "length");
  ASSERT_TRUE(ended && *ended);
  EXPECT_EQ((*ended)->finish_reason, "length");
  EXPECT_EQ((*ended)->shifts, 2U);
  EXPECT_EQ((*ended)->piece->completion_tokens, 20U);
  EXPECT_EQ((*ended)->piece->prompt_tokens, 10U);
  std::string all;
  for (const std::string& piece : told) {
    all += piece;
  }
  EXPECT_EQ(all + (*ended)->piece->text, "abcdefghijklmnopqrst");
}

TEST_F(TextServiceTest, APromptThatIsTooLongIsCut) {
  InferenceRequest request;
  request.model = model;
  request.received = Clock::now();
  request.text = TextRequest{.prompt = "0123456789abcdefghij", .max_tokens = 3};
  request.shift = ContextShift{.sinks = 4};
  service.submit(std::move(request), [this](Result<InferenceResponse> result) { ended = std::move(result); });
  settle();
  ASSERT_EQ(behind.requests.size(), 1U);
  EXPECT_EQ(read_by(behind.requests[0].first), "0123efghij");
  end("xyz", "length");
  ASSERT_TRUE(ended && *ended);
  EXPECT_EQ((*ended)->shifts, 0U) << "it had room for the answer";
}

}  // namespace
}  // namespace shoal::dispatch
