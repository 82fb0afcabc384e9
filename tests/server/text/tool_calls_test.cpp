#include "server/text/tool_calls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace shoal::text {
namespace {

void join(ToolCalls::Piece& to, ToolCalls::Piece piece) {
  to.content += piece.content;
  to.calls.insert(to.calls.end(), piece.calls.begin(), piece.calls.end());
}

ToolCalls::Piece read(ToolStyle style, std::string_view text) {
  ToolCalls calls(style);
  ToolCalls::Piece out = calls.add(text);
  join(out, calls.finish());
  return out;
}

std::vector<std::string> written(const ToolCalls::Piece& piece) {
  std::vector<std::string> out;
  for (const ToolCall& call : piece.calls) {
    out.push_back(call.name + call.arguments);
  }
  return out;
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ToolCalls, ATemplateTellsItsStyle) {
  EXPECT_EQ(tool_style("{% for message in messages %}"), ToolStyle::kNone);
  EXPECT_EQ(tool_style("{% if tools %}<tool_call>"), ToolStyle::kHermes);
  EXPECT_EQ(tool_style(R"({% if tools %}{"name": x, "parameters": y})"), ToolStyle::kLlama3);
  EXPECT_EQ(tool_style("{% if tools %}something else"), ToolStyle::kNone);
  EXPECT_EQ(tool_style("<tool_call>"), ToolStyle::kNone);
}

TEST(ToolCalls, HermesCallsStandBetweenTags) {
  const auto piece =
      read(ToolStyle::kHermes,
           "I look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"b\": 1, \"a\": [2]}}\n</tool_call>\n"
           "<tool_call>{\"name\": \"g\", \"arguments\": \"{}\"}</tool_call>\n");
  EXPECT_EQ(piece.content, "I look.");
  EXPECT_THAT(written(piece), ElementsAre(R"(f{"b":1,"a":[2]})", "g{}"));
}

TEST(ToolCalls, AHermesCallThatWasCutAtTheLastTagIsOne) {
  const auto piece = read(ToolStyle::kHermes, "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}");
  EXPECT_THAT(written(piece), ElementsAre("f{}"));
  EXPECT_EQ(piece.content, "");
}

TEST(ToolCalls, WhatIsNoCallIsSaid) {
  for (const std::string_view text :
       {"a <b> c", "<tool_call>nothing</tool_call> more", "<tool_call>{\"name\": 3}</tool_call>",
        "<tool_call>\n{\"name\"", "ends in <tool", "  spaces  \n", "",
        "<tool_call>{\"name\": \"f\", \"arguments\": [1]}</tool_call>"}) {
    const auto piece = read(ToolStyle::kHermes, text);
    EXPECT_EQ(piece.content, text);
    EXPECT_THAT(piece.calls, IsEmpty());
  }
  for (const std::string_view text : {"plain", "{not json", R"({"name": 1})", R"({"other": {}})", ""}) {
    const auto piece = read(ToolStyle::kLlama3, text);
    EXPECT_EQ(piece.content, text);
    EXPECT_THAT(piece.calls, IsEmpty());
  }
  EXPECT_EQ(read(ToolStyle::kNone, "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>").calls.size(), 0U);
}

TEST(ToolCalls, Llama3CallsAreTheWholeAnswer) {
  EXPECT_THAT(written(read(ToolStyle::kLlama3,
                           R"( {"name": "f", "parameters": {"a": {"b": "}"}}}; {"name": "g", "parameters": {}} )")),
              ElementsAre(R"(f{"a":{"b":"}"}})", "g{}"));
}

TEST(ToolCalls, WhatIsCertainIsToldAtOnce) {
  ToolCalls calls(ToolStyle::kHermes);
  EXPECT_EQ(calls.add("Hello").content, "Hello");
  EXPECT_EQ(calls.add(" you\n").content, " you");
  EXPECT_EQ(calls.add("<tool").content, "");
  EXPECT_EQ(calls.add("bar").content, "\n<toolbar");
  ToolCalls whole(ToolStyle::kLlama3);
  EXPECT_EQ(whole.add("Sure").content, "Sure");
  EXPECT_EQ(whole.add(" {").content, " {");
}

TEST(ToolCalls, PiecesDoNotMatter) {
  const std::string text =
      "a <tool_ \n\n<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": \"<tool_call>\"}}</tool_call> \n<tool_call>no"
      "</tool_call> b<tool_call>{\"name\": \"g\"}</tool_call>";
  const auto whole = read(ToolStyle::kHermes, text);
  EXPECT_THAT(written(whole), ElementsAre(R"(f{"x":"<tool_call>"})", "g{}"));
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    ToolCalls calls(ToolStyle::kHermes);
    ToolCalls::Piece out;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::uniform_int_distribution<std::size_t>(1, 12)(random);
      join(out, calls.add(std::string_view(text).substr(at, size)));
      at += size;
    }
    join(out, calls.finish());
    EXPECT_EQ(out.content, whole.content);
    EXPECT_EQ(written(out), written(whole));
  }
}

}  // namespace
}  // namespace shoal::text
