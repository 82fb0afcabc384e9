#include "server/text/tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "engine/import/safetensors.hpp"

namespace shoal::text {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Word pieces, with a truncation and a fixed padding that must have no effect.
constexpr std::string_view kTokenizer = R"({
  "version": "1.0",
  "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
  "padding": {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 3,
              "pad_type_id": 0, "pad_token": "[PAD]"},
  "added_tokens": [],
  "normalizer": {"type": "Lowercase"},
  "pre_tokenizer": {"type": "Whitespace"},
  "post_processor": {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
    "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
             {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
             {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
    "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]},
                       "[SEP]": {"id": "[SEP]", "ids": [2], "tokens": ["[SEP]"]}}},
  "decoder": null,
  "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "a": 4, "fish": 5, "##es": 6, "swim": 7}}
})";

std::shared_ptr<const Tokenizer> small() {
  auto tokenizer = Tokenizer::load(as_bytes(kTokenizer));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *tokenizer;
}

TEST(Tokenizer, EncodesWithoutTheFilesTruncationAndPadding) {
  const auto tokens = small()->encode("A fish fishes SWIM swim");
  ASSERT_TRUE(tokens);
  EXPECT_THAT(tokens->ids, ElementsAre(1, 4, 5, 5, 6, 7, 7, 2));
  EXPECT_THAT(tokens->type_ids, ElementsAre(0, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT(small()->encode("fish", false)->ids, ElementsAre(5));
  EXPECT_THAT(small()->encode("")->ids, ElementsAre(1, 2));
  EXPECT_TRUE(small()->encode("", false)->ids.empty());
}

TEST(Tokenizer, EncodesPairs) {
  const auto tokens = small()->encode_pair("a fish", "swim");
  ASSERT_TRUE(tokens);
  EXPECT_THAT(tokens->ids, ElementsAre(1, 4, 5, 2, 7, 2));
  EXPECT_THAT(tokens->type_ids, ElementsAre(0, 0, 0, 0, 1, 1));
  EXPECT_THAT(small()->encode_pair("a", "")->ids, ElementsAre(1, 4, 2, 2));
  EXPECT_THAT(small()->encode_pair("a", std::string_view())->ids, ElementsAre(1, 4, 2, 2));
}

TEST(Tokenizer, KnowsItsVocabulary) {
  EXPECT_EQ(small()->vocab_size(), 8U);
  EXPECT_EQ(small()->pad_id(), 3U);
  EXPECT_EQ(small()->token_id("swim"), 7U);
  EXPECT_EQ(small()->token_id("nothing"), std::nullopt);
  EXPECT_EQ(small()->token_id("\xFF"), std::nullopt);
}

TEST(Tokenizer, RefusesBadTextAndLives) {
  const auto tokenizer = small();
  for (const std::string_view text : {"\xFF", "ok \xC3", "\xED\xA0\x80", "\xC0\x80"}) {
    const auto tokens = tokenizer->encode(text);
    ASSERT_FALSE(tokens);
    EXPECT_EQ(tokens.error().code, Code::kInvalidArgument);
    EXPECT_THAT(tokens.error().message, HasSubstr("UTF-8"));
    EXPECT_FALSE(tokenizer->encode_pair("fine", text));
  }
  EXPECT_FALSE(tokenizer->encode(std::string(Tokenizer::kMaxTextBytes + 1, 'a')));
  EXPECT_TRUE(tokenizer->encode(std::string_view("nul \0 inside", 12)));
  EXPECT_TRUE(tokenizer->encode("fish"));
}

TEST(Tokenizer, RefusesBadFiles) {
  std::string damaged(kTokenizer);  // the library panics on this one
  damaged.replace(damaged.find("\"decoder\": null"), 15, "\"decoder\": lull");
  for (const std::string& file : {std::string(), std::string("{}"), std::string("[]"), std::string("not json"),
                                  std::string(kTokenizer.substr(0, 300)), std::string(100'000, '['), damaged}) {
    const auto tokenizer = Tokenizer::load(as_bytes(file));
    ASSERT_FALSE(tokenizer);
    EXPECT_EQ(tokenizer.error().code, Code::kInvalidArgument);
    EXPECT_THAT(tokenizer.error().message, HasSubstr("cannot read tokenizer.json"));
  }
}

TEST(Tokenizer, IsThreadSafe) {
  const auto tokenizer = small();
  std::vector<std::thread> threads;
  std::vector<int> good(4, 0);
  for (std::size_t lane = 0; lane < good.size(); ++lane) {
    threads.emplace_back([&tokenizer, &count = good[lane]] {
      for (int round = 0; round < 500; ++round) {
        count += tokenizer->encode("a fish fishes swim")->ids.size() == 7 ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_THAT(good, ElementsAre(500, 500, 500, 500));
}

TEST(Tokenizer, ReadsTheRealEmbeddingModelsFile) {
  const char* folder = std::getenv("SHOAL_MINILM");
  if (folder == nullptr) {
    GTEST_SKIP() << "SHOAL_MINILM is not set: the real embedding model is not here";
  }
  const auto tokenizer = Tokenizer::load(as_bytes(read(std::filesystem::path(folder) / "tokenizer.json")));
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_THAT((*tokenizer)->encode("Hello world!")->ids, ElementsAre(101, 7592, 2088, 999, 102));
  EXPECT_THAT((*tokenizer)->encode("")->ids, ElementsAre(101, 102));
  EXPECT_EQ((*tokenizer)->vocab_size(), 30522U);
  EXPECT_EQ((*tokenizer)->pad_id(), 0U);
  // The file cuts at 128 tokens and fills up to 128; neither may show.
  std::string long_text;
  for (int word = 0; word < 700; ++word) {
    long_text += "hello ";
  }
  EXPECT_EQ((*tokenizer)->encode(long_text)->ids.size(), 702U);
  for (const char* text : {"\xF0\x9F\x98\x80 \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80",
                           "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D", "\xE4\xBD\xA0\xE5\xA5\xBD"}) {
    EXPECT_GT((*tokenizer)->encode(text)->ids.size(), 2U) << text;
  }
}

// Rows of the reference inputs, without their padding.
std::vector<std::vector<std::uint32_t>> reference_ids(const std::string& file) {
  const auto parsed = import::parse_safetensors(as_bytes(file));
  const auto ids = parsed->find("input.input_ids");
  const auto mask = parsed->find("input.attention_mask");
  if (!ids || !mask) {
    return {};
  }
  std::vector<std::vector<std::uint32_t>> rows((*ids)->shape[0]);
  for (std::size_t index = 0; index < (*ids)->data.size() / 8; ++index) {
    if (*load_le<std::int64_t>((*mask)->data, index * 8) != 0) {
      rows[index / (*ids)->shape[1]].push_back(
          static_cast<std::uint32_t>(*load_le<std::int64_t>((*ids)->data, index * 8)));
    }
  }
  return rows;
}

TEST(Tokenizer, EqualsTheReferenceIdsOfTheFixtures) {
  const char* fixtures = std::getenv("SHOAL_FIXTURES");
  if (fixtures == nullptr) {
    GTEST_SKIP() << "SHOAL_FIXTURES is not set: the model fixtures are not here";
  }
  int compared = 0;
  for (const char* name : {"albert",  "bert",    "bert_mlm", "bert_qa", "bloom",       "deberta-v2", "distilbert",
                           "electra", "falcon",  "gpt2",     "llama",   "llama3",      "opt",        "qwen2",
                           "qwen3",   "roberta", "t5",       "xlm",     "xlm-roberta", "gemma3_text"}) {
    const std::filesystem::path folder = std::filesystem::path(fixtures) / "models" / name;
    const auto tokenizer = Tokenizer::load(as_bytes(read(folder / "tokenizer.json")));
    ASSERT_TRUE(tokenizer) << name << ": " << tokenizer.error().message;
    const auto cases = nlohmann::json::parse(read(folder / "reference" / "cases.json"));
    for (const auto& one : cases["cases"]) {
      const auto& raw = one["raw"];
      if (raw.contains("messages")) {
        continue;  // a chat template makes the text of these
      }
      const std::string file = read(folder / "reference" / one["file"].get<std::string>());
      const auto rows = reference_ids(file);
      for (std::size_t row = 0; row < rows.size(); ++row) {
        const auto tokens =
            raw.contains("question")
                ? (*tokenizer)->encode_pair(raw["question"].get<std::string>(), raw["context"].get<std::string>())
                : (*tokenizer)->encode(raw["texts"][row].get<std::string>());
        ASSERT_TRUE(tokens) << name;
        EXPECT_EQ(tokens->ids, rows[row]) << name << " " << one["name"] << " row " << row;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 60);
}

}  // namespace
}  // namespace shoal::text
