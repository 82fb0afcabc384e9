// The tokenizer of a GGUF file, as the tokenizers library reads it.
#include "engine/import/gguf_tokenizer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/text/tokenizer.hpp"
#include "tests/engine/support/gguf_writer.hpp"

namespace shoal::text {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Words of "ab", digits and spaces; the last token is a special one, and the first of every text.
import::Gguf file(std::string_view model, std::string_view pre) {
  auto writer = test::GgufWriter::header(0, 7);
  writer.key("tokenizer.ggml.model", 8).text(model);
  writer.key("tokenizer.ggml.pre", 8).text(pre);
  writer.words("tokenizer.ggml.tokens", {"a", "b", "1", "2", "\xC4\xA0", "ab",
                                         "\xC4\xA0"
                                         "ab",
                                         "12", "<s>"});
  writer.words("tokenizer.ggml.merges", {"a b", "\xC4\xA0 ab", "1 2"});
  writer.key("tokenizer.ggml.token_type", 9).put(std::uint32_t{5}).put(std::uint64_t{9});
  for (const int kind : {1, 1, 1, 1, 1, 1, 1, 1, 3}) {
    writer.put(kind);
  }
  writer.key("tokenizer.ggml.bos_token_id", 4).put(std::uint32_t{8});
  writer.key("tokenizer.ggml.add_bos_token", 7).put(true);
  return *writer.data(0).parse();
}

std::vector<std::uint32_t> ids(std::string_view pre, std::string_view text) {
  const auto files = import::tokenizer_of_gguf(file("gpt2", pre));
  EXPECT_TRUE(files) << files.error().message;
  const auto tokenizer = Tokenizer::load(as_bytes(files->tokenizer));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  const auto tokens = (*tokenizer)->encode(text);
  EXPECT_TRUE(tokens) << tokens.error().message;
  EXPECT_EQ(*(*tokenizer)->decode(tokens->ids), text);
  return tokens->ids;
}

TEST(GgufTokenizer, CutsTextAsTheFileSays) {
  EXPECT_THAT(ids("gpt-2", "ab ab12"), ElementsAre(8, 5, 6, 7));
  EXPECT_THAT(ids("llama-bpe", "ab ab12"), ElementsAre(8, 5, 6, 7));
  EXPECT_THAT(ids("smollm", "ab ab12"), ElementsAre(8, 5, 6, 2, 3)) << "digits one by one";
  EXPECT_THAT(ids("qwen2", "ab ab12"), ElementsAre(8, 5, 6, 2, 3)) << "digits one by one";
}

TEST(GgufTokenizer, TakesSpecialTokensOutOfAText) {
  const auto files = *import::tokenizer_of_gguf(file("gpt2", "gpt-2"));
  EXPECT_THAT(files.tokenizer_config, HasSubstr(R"("bos_token":"<s>")"));
  const auto tokenizer = *Tokenizer::load(as_bytes(files.tokenizer));
  EXPECT_THAT(tokenizer->encode("ab<s>a", false)->ids, ElementsAre(5, 8, 0));
}

TEST(GgufTokenizer, WhatIsNotKnownIsNamed) {
  EXPECT_THAT(import::tokenizer_of_gguf(file("llama", "gpt-2")).error().message, HasSubstr("'llama'"));
  EXPECT_THAT(import::tokenizer_of_gguf(file("gpt2", "viking")).error().message, HasSubstr("'viking'"));
  EXPECT_TRUE(import::tokenizer_of_gguf(import::Gguf())->tokenizer.empty());
}

}  // namespace
}  // namespace shoal::text
