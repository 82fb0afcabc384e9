// A Hugging Face tokenizer.json: text to token ids, and back. Immutable and thread-safe after loading. Truncation and
// padding of the file are ignored: limits are the model's, and they are errors, not silent cuts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bytes.hpp"
#include "engine/core/result.hpp"

struct ShoalTokenizer;
struct ShoalTextStream;

namespace shoal::text {

struct Tokens {
  std::vector<std::uint32_t> ids;
  std::vector<std::uint32_t> type_ids;  // 0 for the first text, 1 for the second
};

class Tokenizer {
 public:
  // Longest text (both of a pair together) that is looked at; longer ones are kInvalidArgument.
  static constexpr std::size_t kMaxTextBytes = std::size_t{4} << 20;
  // Largest tokenizer.json; real ones stay below 40 MiB.
  static constexpr std::size_t kMaxFileBytes = std::size_t{128} << 20;

  static Result<std::shared_ptr<const Tokenizer>> load(Bytes tokenizer_json);

  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  ~Tokenizer();

  // kInvalidArgument: not UTF-8, or too long. `add_special_tokens`: [CLS] ... [SEP] and the like.
  [[nodiscard]] Result<Tokens> encode(std::string_view text, bool add_special_tokens = true) const;
  [[nodiscard]] Result<Tokens> encode_pair(std::string_view text, std::string_view pair,
                                           bool add_special_tokens = true) const;

  // Ids that the tokenizer does not know have no text, and neither have special tokens unless they are asked for.
  [[nodiscard]] Result<std::string> decode(std::span<const std::uint32_t> ids, bool skip_special_tokens = true) const;

  // The bytes that this token stands for, special or not: a character may be of several tokens. Its text where tokens
  // are not spelled in bytes.
  [[nodiscard]] Result<std::string> token_bytes(std::uint32_t id) const;

  // Ids are below this.
  [[nodiscard]] std::uint32_t vocab_size() const;
  // The padding token that the file names.
  [[nodiscard]] std::optional<std::uint32_t> pad_id() const;
  [[nodiscard]] std::optional<std::uint32_t> token_id(std::string_view token) const;

 private:
  friend class Grammars;
  friend class TextStream;

  explicit Tokenizer(ShoalTokenizer* handle) : handle_(handle) {}
  Result<Tokens> encode_parts(std::string_view text, const std::string_view* pair, bool add_special_tokens) const;

  ShoalTokenizer* handle_;
};

// The text of an answer that grows token by token, without special tokens. All pieces together are the text that
// decode() makes of all ids, and none of them ends inside a character. Of one answer, on one thread at a time.
class TextStream {
 public:
  explicit TextStream(std::shared_ptr<const Tokenizer> tokenizer);
  TextStream(const TextStream&) = delete;
  TextStream& operator=(const TextStream&) = delete;
  ~TextStream();

  // What the token adds; empty while a character is not complete.
  Result<std::string> add(std::uint32_t id);
  // The rest at the end of the answer: bytes that became no character are U+FFFD.
  Result<std::string> finish();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  ShoalTextStream* handle_;
};

}  // namespace shoal::text
