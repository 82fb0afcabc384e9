// Answers that obey a grammar: after each token, which ones may come next. A mask is computed on the server while the
// worker computes logits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

struct ShoalVocabulary;
struct ShoalConstraint;

namespace shoal::text {

class Tokenizer;
class Constraint;

// The grammars that one model's answers can be held to. What they share is made when it is first wanted: that takes
// some tens of milliseconds. Thread-safe.
class Grammars {
 public:
  // Longest schema or grammar; longer ones are kInvalidArgument.
  static constexpr std::size_t kMaxBytes = std::size_t{256} << 10;

  // `stop_ids` end an answer; `vocabulary` is the number of the model's ids, of which the tokenizer may not know all.
  Grammars(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::uint32_t> stop_ids, std::uint32_t vocabulary);
  Grammars(const Grammars&) = delete;
  Grammars& operator=(const Grammars&) = delete;
  ~Grammars();

  // kInvalidArgument: the schema is no JSON, is too large, or has a keyword that would not be obeyed.
  // kOperatorNotSupported: the model's tokenizer has no bytes of tokens, or no token ends its answers.
  [[nodiscard]] Result<std::unique_ptr<Constraint>> json_schema(std::string_view schema) const;
  // A grammar in llguidance's form of Lark.
  [[nodiscard]] Result<std::unique_ptr<Constraint>> lark(std::string_view grammar) const;

  [[nodiscard]] std::uint32_t vocabulary() const { return vocabulary_; }

 private:
  [[nodiscard]] Result<std::unique_ptr<Constraint>> make(std::string_view grammar, bool is_schema) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::uint32_t> stop_ids_;
  std::uint32_t vocabulary_;
  mutable std::once_flag once_;
  mutable ShoalVocabulary* handle_ = nullptr;
  mutable std::string failure_;
};

// One answer's. On one thread at a time; the Grammars outlive it.
class Constraint {
 public:
  Constraint(ShoalConstraint* handle, std::uint32_t vocabulary) : handle_(handle), vocabulary_(vocabulary) {}
  Constraint(const Constraint&) = delete;
  Constraint& operator=(const Constraint&) = delete;
  ~Constraint();

  // Which ids may come next: bit i % 8 of byte i / 8 is id i. At the end these are the stop ids. kInternal: the grammar
  // has become too complex.
  Result<std::string> mask();
  // This id came. kInternal: it was not allowed.
  Status take(std::uint32_t id);
  // Nothing may follow but the end.
  [[nodiscard]] bool has_ended() const;

 private:
  ShoalConstraint* handle_;
  std::uint32_t vocabulary_;
};

}  // namespace shoal::text
