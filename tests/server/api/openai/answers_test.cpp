// What clients are told of answers that grow, as documents and as events.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ranges>

#include "server/api/openai/completion_answer.hpp"
#include "server/api/openai/responses_answer.hpp"
#include "server/api/openai/token_logprobs.hpp"
#include "tests/server/text/bytes_tokenizer.hpp"

namespace shoal::api::openai {
namespace {

using Json = nlohmann::ordered_json;
using testing::ElementsAre;

dispatch::InferenceResponse piece(std::string text, std::string finish_reason = {}) {
  dispatch::InferenceResponse out;
  out.worker = "w/0";
  out.backend = "wasm";
  out.finish_reason = std::move(finish_reason);
  out.piece = dispatch::TextPiece{.text = text, .prompt_tokens = 3, .completion_tokens = 2};
  for (const char one : text) {
    out.piece->ids.push_back(static_cast<unsigned char>(one));
    out.piece->logprobs.push_back({.logprob = -0.5F, .likely = {{'a', -0.5F}, {0xC3, -1.0F}}});
  }
  return out;
}

// The documents of events, "[DONE]" as a text.
std::vector<Json> documents(const std::string& events) {
  std::vector<Json> out;
  for (std::size_t at = 0; at < events.size();) {
    const std::size_t end = events.find("\n\n", at);
    const std::string event = events.substr(at, end - at);
    const std::string data = event.substr(event.find("data: ") + 6);
    out.push_back(data == "[DONE]" ? Json(data) : Json::parse(data));
    if (event.starts_with("event: ")) {
      EXPECT_EQ(event.substr(7, event.find('\n') - 7), out.back()["type"].get<std::string>());
    }
    at = end + 2;
  }
  return out;
}

CompletionAnswer::Head head(bool is_chat) {
  return {.is_chat = is_chat, .id = is_chat ? "chatcmpl-7" : "cmpl-7", .created = 1, .model = "m"};
}

std::vector<Json> streamed(AnswerWriter& answer, std::vector<dispatch::InferenceResponse> responses) {
  std::string out;
  for (std::size_t index = 0; index < responses.size(); ++index) {
    answer.add(0, std::move(responses[index]), index + 1 == responses.size());
    out += answer.events(0);
  }
  return documents(out + answer.closing_events());
}

TEST(CompletionAnswer, AChatIsStreamedAsTheApiHasIt) {
  auto given = head(true);
  given.wants_usage = true;
  CompletionAnswer answer(given, 1, 1, {});
  const auto chunks = streamed(answer, {piece("he"), piece("y", "stop")});
  ASSERT_EQ(chunks.size(), 6U);
  for (const Json& chunk : chunks | std::views::take(5)) {
    EXPECT_EQ(chunk["id"], "chatcmpl-7");
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
    EXPECT_EQ(chunk["created"], 1);
    EXPECT_EQ(chunk["model"], "m");
  }
  EXPECT_EQ(chunks[0]["choices"][0]["delta"], Json({{"role", "assistant"}, {"content", ""}}));
  EXPECT_EQ(chunks[0]["usage"], nullptr);
  EXPECT_EQ(chunks[1]["choices"][0]["delta"]["content"], "he");
  EXPECT_EQ(chunks[1]["choices"][0]["finish_reason"], nullptr);
  EXPECT_EQ(chunks[2]["choices"][0]["delta"]["content"], "y");
  EXPECT_EQ(chunks[3]["choices"][0]["delta"], Json::object());
  EXPECT_EQ(chunks[3]["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(chunks[3]["shoal"]["worker"], "w/0");
  EXPECT_EQ(chunks[4]["choices"], Json::array());
  EXPECT_EQ(chunks[4]["usage"]["total_tokens"], 5);
  EXPECT_EQ(chunks[5], "[DONE]");
}

TEST(CompletionAnswer, WithoutTheOptionThereIsNoUsage) {
  CompletionAnswer answer(head(true), 1, 1, {});
  const auto chunks = streamed(answer, {piece("x", "length")});
  EXPECT_EQ(chunks.size(), 4U);
  for (const Json& chunk : chunks | std::views::take(3)) {
    EXPECT_FALSE(chunk.contains("usage"));
  }
}

TEST(TokenLogprobs, AreToldInBytesAndText) {
  const auto tokenizer = text::bytes_tokenizer();
  const std::vector<std::uint32_t> ids = {'a', 0xC3};
  const std::vector<dispatch::TokenLogprobs> logprobs(2, {.logprob = -0.5F, .likely = {{'a', -0.5F}, {0xC3, -1.0F}}});
  const Json chat = chat_logprobs(*tokenizer, ids, logprobs);
  ASSERT_EQ(chat.size(), 2);
  EXPECT_EQ(chat[0]["token"], "a");
  EXPECT_EQ(chat[0]["logprob"], -0.5);
  EXPECT_EQ(chat[0]["bytes"], Json::array({97}));
  EXPECT_EQ(chat[0]["top_logprobs"][1]["bytes"], Json::array({0xC3}));
  EXPECT_EQ(chat[0]["top_logprobs"][1]["token"], "\xEF\xBF\xBD");
  std::size_t offset = 3;
  const Json told = completion_logprobs(*tokenizer, ids, logprobs, offset);
  EXPECT_EQ(told["tokens"][0], "a");
  EXPECT_EQ(told["text_offset"], Json({3, 4}));
  EXPECT_EQ(told["token_logprobs"], Json({-0.5, -0.5}));
  EXPECT_EQ(offset, 5U);
}

TEST(CompletionAnswer, LogprobsGoWithTheirTokens) {
  auto given = head(true);
  given.tokenizer = text::bytes_tokenizer();
  CompletionAnswer answer(given, 1, 1, {});
  const auto chunks = streamed(answer, {piece("a"), piece("\xC3\xA9", "stop")});
  EXPECT_EQ(chunks[0]["choices"][0]["logprobs"], nullptr);
  const Json& first = chunks[1]["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(first.size(), 1);
  EXPECT_EQ(first[0]["token"], "a");
  EXPECT_EQ(first[0]["logprob"], -0.5);
  EXPECT_EQ(first[0]["bytes"], Json::array({97}));
  EXPECT_EQ(first[0]["top_logprobs"][1]["bytes"], Json::array({0xC3}));
  EXPECT_EQ(first[0]["top_logprobs"][1]["token"], "\xEF\xBF\xBD");
  EXPECT_EQ(chunks[2]["choices"][0]["logprobs"]["content"].size(), 2);
  const Json whole = Json::parse(answer.whole());
  EXPECT_EQ(whole["choices"][0]["logprobs"]["content"].size(), 3);
  auto plain = head(false);
  plain.tokenizer = text::bytes_tokenizer();
  CompletionAnswer completion(plain, 1, 1, {});
  completion.add(0, piece("ab", "stop"), true);
  const Json told = Json::parse(completion.whole())["choices"][0]["logprobs"];
  EXPECT_EQ(told["tokens"], Json({"a", "b"}));
  EXPECT_EQ(told["text_offset"], Json({0, 1}));
  EXPECT_EQ(told["token_logprobs"], Json({-0.5, -0.5}));
}

TEST(CompletionAnswer, CallsAreToldWhole) {
  auto given = head(true);
  given.tool_style = text::ToolStyle::kHermes;
  CompletionAnswer answer(given, 1, 1, {});
  const auto chunks = streamed(answer, {piece("<tool_call>{\"name\": \"f\", \"arg"),
                                        piece("uments\": {\"a\": 1}}</tool_call>"), piece("", "stop")});
  ASSERT_EQ(chunks.size(), 4U);
  const Json& call = chunks[1]["choices"][0]["delta"]["tool_calls"][0];
  EXPECT_EQ(call["index"], 0);
  EXPECT_EQ(call["type"], "function");
  EXPECT_EQ(call["function"]["arguments"], R"({"a":1})");
  EXPECT_EQ(chunks[2]["choices"][0]["finish_reason"], "tool_calls");
  const Json whole = Json::parse(answer.whole())["choices"][0];
  EXPECT_EQ(whole["message"]["content"], nullptr);
  EXPECT_EQ(whole["message"]["tool_calls"][0]["id"], call["id"]);
  EXPECT_EQ(whole["finish_reason"], "tool_calls");
}

TEST(CompletionAnswer, SeveralChoicesHaveTheirPlaces) {
  auto given = head(false);
  given.wants_token_ids = true;
  CompletionAnswer answer(given, 2, 2, {"p", "q"});
  for (std::size_t choice = 0; choice < 4; ++choice) {
    answer.add(choice, piece(std::to_string(choice), "stop"), true);
  }
  const Json whole = Json::parse(answer.whole());
  EXPECT_EQ(whole["choices"][1]["text"], "p1");
  EXPECT_EQ(whole["choices"][2]["text"], "q2");
  EXPECT_EQ(whole["choices"][3]["token_ids"], Json::array({'3'}));
  EXPECT_EQ(whole["usage"], Json({{"prompt_tokens", 6},
                                  {"completion_tokens", 8},
                                  {"total_tokens", 14},
                                  {"prompt_tokens_details", {{"cached_tokens", 0}}}}));
}

TEST(CompletionAnswer, AnErrorEndsAStream) {
  CompletionAnswer answer(head(true), 1, 1, {});
  const auto events = documents(answer.error_events({Code::kWorkerLost, "it has gone", {}}));
  EXPECT_EQ(events[0]["error"]["code"], "worker_lost");
}

std::vector<std::string> types(const std::vector<Json>& events) {
  std::vector<std::string> out;
  for (const Json& event : events) {
    EXPECT_EQ(event["sequence_number"], out.size());
    out.push_back(event["type"].get<std::string>());
  }
  return out;
}

TEST(ResponsesAnswer, TextIsStreamedAsTheApiHasIt) {
  ResponsesAnswer answer({.unique = "7", .created = 1, .model = "m", .about = repeated({})});
  const auto events = streamed(answer, {piece("he"), piece("y", "length")});
  EXPECT_THAT(types(events),
              ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                          "response.content_part.added", "response.output_text.delta", "response.output_text.delta",
                          "response.output_text.done", "response.content_part.done", "response.output_item.done",
                          "response.incomplete"));
  EXPECT_EQ(events[0]["response"]["status"], "in_progress");
  EXPECT_EQ(events[6]["text"], "hey");
  const Json& response = events.back()["response"];
  EXPECT_EQ(response["status"], "incomplete");
  EXPECT_EQ(response["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_EQ(response["output"][0]["content"][0]["text"], "hey");
  EXPECT_EQ(response["usage"]["total_tokens"], 5);
  EXPECT_EQ(response["store"], false);
  EXPECT_EQ(response, Json::parse(answer.whole()));
}

TEST(ResponsesAnswer, CallsAreItems) {
  ResponsesAnswer answer(
      {.unique = "7", .created = 1, .model = "m", .about = repeated({}), .tool_style = text::ToolStyle::kHermes});
  const auto events =
      streamed(answer, {piece("<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>"), piece("", "stop")});
  EXPECT_THAT(types(events),
              ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                          "response.function_call_arguments.delta", "response.function_call_arguments.done",
                          "response.output_item.done", "response.completed"));
  const Json& output = events.back()["response"]["output"];
  ASSERT_EQ(output.size(), 1);
  EXPECT_EQ(output[0]["type"], "function_call");
  EXPECT_EQ(output[0]["name"], "f");
  EXPECT_EQ(output[0]["arguments"], "{}");
}

}  // namespace
}  // namespace shoal::api::openai
