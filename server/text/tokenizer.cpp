#include "server/text/tokenizer.hpp"

#include <fmt/format.h>

#include <array>

#include "server/text/tokenizers_c/shoal_tokenizers.h"

namespace shoal::text {
namespace {

constexpr std::size_t kErrorBytes = 1024;
using ErrorText = std::array<char, kErrorBytes>;

const std::uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

std::unexpected<Error> failure(int status, std::string_view doing, const ErrorText& error) {
  const Code code = status == SHOAL_TOKENIZER_INVALID ? Code::kInvalidArgument : Code::kInternal;
  return fail(code, fmt::format("{}: {}", doing, error.data()));
}

Result<std::string> text_from(int status, std::string_view doing, ShoalText& text, const ErrorText& error) {
  if (status != SHOAL_TOKENIZER_OK) {
    return failure(status, doing, error);
  }
  std::string out(reinterpret_cast<const char*>(text.bytes), text.size);
  shoal_text_free(&text);
  return out;
}

std::optional<std::uint32_t> id_from(std::int64_t id) {
  return id < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(id));
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::load(Bytes tokenizer_json) {
  if (tokenizer_json.size() > kMaxFileBytes) {
    return fail(Code::kResourceLimit,
                fmt::format("tokenizer.json has {} bytes, the limit is {}", tokenizer_json.size(), kMaxFileBytes));
  }
  ErrorText error{};
  ShoalTokenizer* handle = nullptr;
  const int status = shoal_tokenizer_load(bytes_of(as_text(tokenizer_json)), tokenizer_json.size(), &handle,
                                          error.data(), error.size());
  if (status != SHOAL_TOKENIZER_OK) {
    return failure(status, "cannot read tokenizer.json", error);
  }
  return std::shared_ptr<const Tokenizer>(new Tokenizer(handle));
}

Tokenizer::~Tokenizer() { shoal_tokenizer_free(handle_); }

Result<Tokens> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  return encode_parts(text, nullptr, add_special_tokens);
}

Result<Tokens> Tokenizer::encode_pair(std::string_view text, std::string_view pair, bool add_special_tokens) const {
  return encode_parts(text, &pair, add_special_tokens);
}

Result<Tokens> Tokenizer::encode_parts(std::string_view text, const std::string_view* pair,
                                       bool add_special_tokens) const {
  const std::size_t total = text.size() + (pair != nullptr ? pair->size() : 0);
  if (total > kMaxTextBytes) {
    return fail(Code::kInvalidArgument, fmt::format("text has {} bytes, the limit is {}", total, kMaxTextBytes));
  }
  // A null pointer means "no pair" to the crate, and an empty string_view may hold one.
  constexpr std::string_view kEmpty = "";
  const std::string_view second = pair == nullptr ? kEmpty : (pair->empty() ? kEmpty : *pair);
  ErrorText error{};
  ShoalEncoding encoding{};
  const int status =
      shoal_tokenizer_encode(handle_, bytes_of(text), text.size(), pair == nullptr ? nullptr : bytes_of(second),
                             second.size(), add_special_tokens ? 1 : 0, &encoding, error.data(), error.size());
  if (status != SHOAL_TOKENIZER_OK) {
    return failure(status, "cannot tokenize", error);
  }
  Tokens tokens{.ids = {encoding.ids, encoding.ids + encoding.size},
                .type_ids = {encoding.type_ids, encoding.type_ids + encoding.size}};
  shoal_encoding_free(&encoding);
  return tokens;
}

Result<std::string> Tokenizer::decode(std::span<const std::uint32_t> ids, bool skip_special_tokens) const {
  ErrorText error{};
  ShoalText text{};
  const int status = shoal_tokenizer_decode(handle_, ids.data(), ids.size(), skip_special_tokens ? 1 : 0, &text,
                                            error.data(), error.size());
  return text_from(status, "cannot make text of tokens", text, error);
}

Result<std::string> Tokenizer::token_bytes(std::uint32_t id) const {
  ErrorText error{};
  ShoalText text{};
  const int status = shoal_tokenizer_token_bytes(handle_, id, &text, error.data(), error.size());
  return text_from(status, "cannot spell a token", text, error);
}

std::uint32_t Tokenizer::vocab_size() const { return shoal_tokenizer_vocab_size(handle_); }

std::optional<std::uint32_t> Tokenizer::pad_id() const { return id_from(shoal_tokenizer_pad_id(handle_)); }

std::optional<std::uint32_t> Tokenizer::token_id(std::string_view token) const {
  return id_from(shoal_tokenizer_token_id(handle_, bytes_of(token), token.size()));
}

TextStream::TextStream(std::shared_ptr<const Tokenizer> tokenizer)
    : tokenizer_(std::move(tokenizer)), handle_(shoal_text_stream_new(tokenizer_->handle_, 1)) {}

TextStream::~TextStream() { shoal_text_stream_free(handle_); }

Result<std::string> TextStream::add(std::uint32_t id) {
  ErrorText error{};
  ShoalText text{};
  const int status = shoal_text_stream_add(handle_, id, &text, error.data(), error.size());
  return text_from(status, "cannot make text of a token", text, error);
}

Result<std::string> TextStream::finish() {
  ErrorText error{};
  ShoalText text{};
  const int status = shoal_text_stream_finish(handle_, &text, error.data(), error.size());
  return text_from(status, "cannot make text of a token", text, error);
}

}  // namespace shoal::text
