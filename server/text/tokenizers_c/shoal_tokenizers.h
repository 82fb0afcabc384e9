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
typedef struct ShoalTextStream ShoalTextStream;
typedef struct ShoalTemplate ShoalTemplate;
typedef struct ShoalVocabulary ShoalVocabulary;
typedef struct ShoalConstraint ShoalConstraint;

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

// `size` bytes, UTF-8 unless a function says otherwise, not terminated; belongs to the caller until shoal_text_free. Null when it is empty.
typedef struct ShoalText {
  uint8_t* bytes;
  size_t size;
} ShoalText;
void shoal_text_free(ShoalText* text);

// Reads a tokenizer.json of `size` bytes; its own truncation and padding are switched off.
int shoal_tokenizer_load(const uint8_t* json, size_t size, ShoalTokenizer** out, char* error, size_t error_size);
void shoal_tokenizer_free(ShoalTokenizer* tokenizer);

// `pair` may be null: a single text.
int shoal_tokenizer_encode(const ShoalTokenizer* tokenizer, const uint8_t* text, size_t text_size, const uint8_t* pair,
                           size_t pair_size, int add_special_tokens, ShoalEncoding* out, char* error,
                           size_t error_size);
void shoal_encoding_free(ShoalEncoding* encoding);

// The text of ids. Unknown ids have none; special tokens have none when `skip_special` is set.
int shoal_tokenizer_decode(const ShoalTokenizer* tokenizer, const uint32_t* ids, size_t size, int skip_special,
                           ShoalText* out, char* error, size_t error_size);

// The bytes that one token stands for, which need not be UTF-8; its text where the tokenizer does not spell in bytes.
int shoal_tokenizer_token_bytes(const ShoalTokenizer* tokenizer, uint32_t id, ShoalText* out, char* error,
                                size_t error_size);

// A text that grows by tokens. The tokenizer outlives it; one thread at a time.
ShoalTextStream* shoal_text_stream_new(const ShoalTokenizer* tokenizer, int skip_special);
void shoal_text_stream_free(ShoalTextStream* stream);
// What the token adds to the text, as far as later tokens cannot change it: never a part of a character.
int shoal_text_stream_add(ShoalTextStream* stream, uint32_t id, ShoalText* out, char* error, size_t error_size);
// What add() held back: bytes that became no character are U+FFFD. The next token begins a new text.
int shoal_text_stream_finish(ShoalTextStream* stream, ShoalText* out, char* error, size_t error_size);

// Number of ids, added tokens included: ids are below it.
uint32_t shoal_tokenizer_vocab_size(const ShoalTokenizer* tokenizer);
// The id of the padding token that the file names ("padding", else "[PAD]", "<pad>"), or -1.
int64_t shoal_tokenizer_pad_id(const ShoalTokenizer* tokenizer);
// The id of exactly this token, or -1.
int64_t shoal_tokenizer_token_id(const ShoalTokenizer* tokenizer, const uint8_t* token, size_t token_size);

// A Jinja template of a chat, with what Hugging Face's templates use besides Jinja: raise_exception, strftime_now, tojson
// as Python writes it, methods of Python's str, list and dict, break and continue, generation blocks.
int shoal_template_load(const uint8_t* source, size_t size, ShoalTemplate** out, char* error, size_t error_size);
void shoal_template_free(ShoalTemplate* chat_template);

// Writes the time in a strftime format into `out` (room for `size` bytes); answers how many, 0 when they do not fit.
typedef size_t (*ShoalFormatTime)(const void* context, const char* format, char* out, size_t size);

// Renders with the variables of a JSON object. INVALID: the template raises, takes too many steps or writes more than
// `most_bytes`. `format_time` is called with `time_context` on this thread.
int shoal_template_render(const ShoalTemplate* chat_template, const uint8_t* json, size_t json_size, size_t most_bytes,
                          ShoalFormatTime format_time, const void* time_context, ShoalText* out, char* error,
                          size_t error_size);

// The bytes of all ids below `size`, for constraints. `stop_ids` end an answer, one at least. INVALID: a tokenizer whose
// tokens are not spelled in bytes.
int shoal_vocabulary_new(const ShoalTokenizer* tokenizer, const uint32_t* stop_ids, size_t stops, size_t size,
                         ShoalVocabulary** out, char* error, size_t error_size);
void shoal_vocabulary_free(ShoalVocabulary* vocabulary);

// An answer that obeys a JSON schema, or a grammar in llguidance's form of Lark. The vocabulary outlives it; one thread at
// a time. INVALID: the grammar is wrong, too large, or says something that would not be obeyed.
int shoal_constraint_new(const ShoalVocabulary* vocabulary, int is_schema, const uint8_t* grammar, size_t grammar_size,
                         ShoalConstraint** out, char* error, size_t error_size);
void shoal_constraint_free(ShoalConstraint* constraint);
// Which ids may come next: bit i % 8 of byte i / 8. `size` is that of the vocabulary, in whole bytes.
int shoal_constraint_mask(ShoalConstraint* constraint, uint8_t* mask, size_t size, char* error, size_t error_size);
// This one came.
int shoal_constraint_take(ShoalConstraint* constraint, uint32_t id, char* error, size_t error_size);
// Nothing may follow but the end.
int shoal_constraint_has_ended(const ShoalConstraint* constraint);

#ifdef __cplusplus
}
#endif
