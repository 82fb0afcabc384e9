// C ABI of the Rust crate in this folder. Every function may be called from any thread; a tokenizer is immutable after
// loading. No function lets a Rust panic escape. Errors are returned as a text in a buffer of the caller: always
// terminated, cut at a character boundary when it does not fit.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ShoalTokenizer ShoalTokenizer;

enum {
  SHOAL_TOKENIZER_OK = 0,
  SHOAL_TOKENIZER_INVALID = 1,   // the input is at fault: not a tokenizer file, not UTF-8, a failing pattern
  SHOAL_TOKENIZER_INTERNAL = 2,  // a panic inside the library
};

// `ids` and `type_ids` have `size` entries each and belong to the caller until shoal_encoding_free.
typedef struct ShoalEncoding {
  uint32_t* ids;
  uint32_t* type_ids;
  size_t size;
} ShoalEncoding;

// Reads a tokenizer.json of `size` bytes; its own truncation and padding are switched off.
int shoal_tokenizer_load(const uint8_t* json, size_t size, ShoalTokenizer** out, char* error, size_t error_size);
void shoal_tokenizer_free(ShoalTokenizer* tokenizer);

// `pair` may be null: a single text.
int shoal_tokenizer_encode(const ShoalTokenizer* tokenizer, const uint8_t* text, size_t text_size, const uint8_t* pair,
                           size_t pair_size, int add_special_tokens, ShoalEncoding* out, char* error,
                           size_t error_size);
void shoal_encoding_free(ShoalEncoding* encoding);

// Number of ids, added tokens included: ids are below it.
uint32_t shoal_tokenizer_vocab_size(const ShoalTokenizer* tokenizer);
// The id of the padding token that the file names ("padding", else "[PAD]", "<pad>"), or -1.
int64_t shoal_tokenizer_pad_id(const ShoalTokenizer* tokenizer);
// The id of exactly this token, or -1.
int64_t shoal_tokenizer_token_id(const ShoalTokenizer* tokenizer, const uint8_t* token, size_t token_size);

#ifdef __cplusplus
}
#endif
