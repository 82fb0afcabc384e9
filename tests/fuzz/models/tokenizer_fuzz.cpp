// Any bytes as a text for a small word-piece tokenizer, and every 16th input as a tokenizer file: errors or ids below
// the size of the vocabulary, and never a panic across the ABI.
#include <cstdlib>
#include <string_view>

#include "server/text/tokenizer.hpp"

namespace {

constexpr std::string_view kTokenizer = R"({
  "version": "1.0", "added_tokens": [], "decoder": null,
  "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
                 "lowercase": true},
  "pre_tokenizer": {"type": "BertPreTokenizer"},
  "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
  "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "##a": 4, "b": 5, "##b": 6, "!": 7}}
})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto tokenizer = shoal::text::Tokenizer::load(shoal::as_bytes(kTokenizer));
  if (!tokenizer) {
    std::abort();
  }
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (size != 0 && data[0] % 16 == 11) {  // '{' is one of those
    const auto loaded = shoal::text::Tokenizer::load(shoal::as_bytes(text));
    if (!loaded && loaded.error().code != shoal::Code::kInvalidArgument) {
      std::abort();
    }
    return 0;
  }
  const auto tokens = (*tokenizer)->encode_pair(text.substr(0, size / 2), text.substr(size / 2), size % 2 == 0);
  if (!tokens) {
    if (tokens.error().code != shoal::Code::kInvalidArgument) {
      std::abort();
    }
    return 0;
  }
  for (const std::uint32_t id : tokens->ids) {
    if (id >= (*tokenizer)->vocab_size()) {
      std::abort();
    }
  }
  return 0;
}
