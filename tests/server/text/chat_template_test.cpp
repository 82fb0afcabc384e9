#include "server/text/chat_template.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/import/safetensors.hpp"
#include "engine/import/source.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::text {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

const Json kMessages = {{{"role", "system"}, {"content", "Be brief."}},
                        {{"role", "user"}, {"content", " <Hi> & \"you\" "}}};

Result<std::string> rendered(std::string_view source, const Json& variables = Json::object(),
                             std::string_view config = {}) {
  const auto loaded = ChatTemplate::load(source, config);
  if (!loaded) {
    return fail(loaded.error());
  }
  return (*loaded)->render(kMessages, {.now = 1785585600, .variables = variables});
}

TEST(ChatTemplate, WritesMessages) {
  EXPECT_EQ(*rendered("{% for m in messages %}<{{ m.role }}>{{ m['content'] }}{% endfor %}"
                      "{% if add_generation_prompt %}<go>{% endif %}"),
            "<system>Be brief.<user> <Hi> & \"you\" <go>");
  EXPECT_EQ(*rendered("{{ bos_token }}|{{ eos_token }}|{{ pad_token }}", Json::object(),
                      R"({"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null})"),
            "<s>|</s>|");
}

TEST(ChatTemplate, HasWhatHuggingFacesTemplatesUse) {
  struct Case {
    const char* source;
    const char* text;
  };
  const Case cases[] = {
      {"{{ messages[1].content.strip() }}", "<Hi> & \"you\""},
      {"{{ messages[1].content | trim | length }}", "12"},
      {"{{ tools | tojson }}",
       R"([{"type": "function", "function": {"name": "f<", "b": 1, "a": [1, 2.5, null, true, "é'"]}}])"},
      {"{{ tools[0].function.a | tojson(indent=2) }}", "[\n  1,\n  2.5,\n  null,\n  true,\n  \"é'\"\n]"},
      {"{% set n = namespace(found=false) %}{% for m in messages %}{% set n.found = m.role == 'user' %}{% endfor %}"
       "{{ n.found }}",
       "True"},
      {"{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}{% break %}{% endfor %}",
       "user"},
      {"{% for k, v in tools[0].function.items() %}{{ k }};{% endfor %}", "name;b;a;"},
      {"{{ messages[0].role.startswith('sys') and 'Be' in messages[0].content }}", "True"},
      {"{{ messages[0].content.split(' ')[-1] }}{{ messages[::-1][0].role }}", "brief.user"},
      {"{{ missing is defined }}{{ missing }}{{ none }}{{ documents is none }}", "FalseNoneTrue"},
      {"    {% if true %}\nA\n    {% endif %}\nB", "A\nB"},
      {"{%- generation -%} x {%- endgeneration %}{% generation %}y{% endgeneration %}", "xy"},
      {"{{ strftime_now('%Y') | length }}", "4"},
      {"{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1"},
      {"{% macro m(x) %}[{{ x }}]{% endmacro %}{{ m('a') ~ m(2) }}", "[a][2]"},
      {"{{ raise_exception('no') if false else 'yes' }}", "yes"},
  };
  const Json variables = {{"tools", Json::parse(R"([{"type": "function", "function":
      {"name": "f<", "b": 1, "a": [1, 2.5, null, true, "é'"]}}])")}};
  for (const Case& c : cases) {
    const auto text = rendered(c.source, variables);
    ASSERT_TRUE(text) << c.source << ": " << text.error().message;
    EXPECT_EQ(*text, c.text) << c.source;
  }
}

TEST(ChatTemplate, WhatItRaisesAndWhatIsWrongIsToldWithTheLine) {
  const auto raised = rendered("\n{{ raise_exception('roles must alternate') }}");
  ASSERT_FALSE(raised);
  EXPECT_EQ(raised.error().code, Code::kInvalidArgument);
  EXPECT_EQ(raised.error().param, "messages");
  EXPECT_THAT(raised.error().message, HasSubstr("line 2: roles must alternate"));
  for (const char* source : {"{% for m in messages %}", "{{ messages | nonsense }}", "{{ missing.role }}", "{% x %}",
                             "{{ 1 + messages }}", "\xFF"}) {
    const auto text = rendered(source);
    ASSERT_FALSE(text) << source;
    EXPECT_EQ(text.error().code, Code::kInvalidArgument) << source;
  }
  EXPECT_EQ(ChatTemplate::load(std::string(ChatTemplate::kMaxSourceBytes + 1, ' '), {}).error().code,
            Code::kResourceLimit);
  EXPECT_FALSE(ChatTemplate::load("x", "[]"));
}

TEST(ChatTemplate, StepsAndOutputAreBounded) {
  const auto endless =
      rendered("{% for a in range(100000) %}{% for b in range(100000) %}{% set x = a * b %}{% endfor %}{% endfor %}");
  ASSERT_FALSE(endless);
  EXPECT_THAT(endless.error().message, HasSubstr("fuel"));
  const auto long_text = rendered("{% for a in range(5000) %}{{ 'x' * 1000 }}{% endfor %}");
  ASSERT_FALSE(long_text);
  EXPECT_THAT(long_text.error().message, HasSubstr("writes more than 4194304 bytes"));
  EXPECT_FALSE(rendered("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"));
}

// The ids that transformers makes of the fixtures' chats.
TEST(ChatTemplate, EqualsTheReferenceIdsOfTheFixtures) {
  const char* fixtures = std::getenv("SHOAL_FIXTURES");
  if (fixtures == nullptr) {
    GTEST_SKIP() << "SHOAL_FIXTURES is not set: the model fixtures are not here";
  }
  int compared = 0;
  for (const char* name : {"gemma3_text", "llama", "llama3", "qwen2", "qwen3"}) {
    const std::filesystem::path folder = std::filesystem::path(fixtures) / "models" / name;
    const auto tokenizer = Tokenizer::load(as_bytes(read(folder / "tokenizer.json")));
    const auto chat = ChatTemplate::load(read(folder / "chat_template.jinja"), read(folder / "tokenizer_config.json"));
    ASSERT_TRUE(tokenizer && chat) << name;
    for (const Json& one : Json::parse(read(folder / "reference" / "cases.json"))["cases"]) {
      if (!one["raw"].contains("messages")) {
        continue;
      }
      const auto text = (*chat)->render(one["raw"]["messages"], {});
      ASSERT_TRUE(text) << name << ": " << text.error().message;
      const std::string file = read(folder / "reference" / one["file"].get<std::string>());
      const auto parsed = import::parse_safetensors(as_bytes(file));
      std::vector<std::uint32_t> expected;
      const Bytes data = (*parsed->find("input.input_ids"))->data;
      for (std::size_t at = 0; at < data.size(); at += 8) {
        expected.push_back(static_cast<std::uint32_t>(*load_le<std::int64_t>(data, at)));
      }
      EXPECT_EQ((*tokenizer)->encode(*text, false)->ids, expected) << name << ": " << *text;
      ++compared;
    }
  }
  EXPECT_GE(compared, 5);
}

}  // namespace
}  // namespace shoal::text
