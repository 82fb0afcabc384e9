#include "server/text/grammars.hpp"

#include <fmt/format.h>

#include <array>

#include "server/text/tokenizer.hpp"
#include "server/text/tokenizers_c/shoal_tokenizers.h"

namespace shoal::text {
namespace {

using ErrorText = std::array<char, 1024>;

Status status_of(int status, std::string_view doing, const ErrorText& error) {
  if (status == SHOAL_TOKENIZER_OK) {
    return {};
  }
  return fail(Code::kInternal, fmt::format("{}: {}", doing, error.data()));
}

}  // namespace

Grammars::Grammars(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::uint32_t> stop_ids,
                   std::uint32_t vocabulary)
    : tokenizer_(std::move(tokenizer)), stop_ids_(std::move(stop_ids)), vocabulary_(vocabulary) {}

Grammars::~Grammars() { shoal_vocabulary_free(handle_); }

Result<std::unique_ptr<Constraint>> Grammars::json_schema(std::string_view schema) const { return make(schema, true); }

Result<std::unique_ptr<Constraint>> Grammars::lark(std::string_view grammar) const { return make(grammar, false); }

Result<std::unique_ptr<Constraint>> Grammars::make(std::string_view grammar, bool is_schema) const {
  if (grammar.size() > kMaxBytes) {
    return fail(Code::kInvalidArgument, fmt::format("it has {} bytes, the limit is {}", grammar.size(), kMaxBytes));
  }
  std::call_once(once_, [&] {
    ErrorText error{};
    if (shoal_vocabulary_new(tokenizer_->handle_, stop_ids_.data(), stop_ids_.size(), vocabulary_, &handle_,
                             error.data(), error.size()) != SHOAL_TOKENIZER_OK) {
      failure_ = error.data();
    }
  });
  if (handle_ == nullptr) {
    return fail(Code::kOperatorNotSupported, fmt::format("this model's answers cannot be constrained: {}", failure_));
  }
  ErrorText error{};
  ShoalConstraint* made = nullptr;
  if (shoal_constraint_new(handle_, is_schema ? 1 : 0, reinterpret_cast<const std::uint8_t*>(grammar.data()),
                           grammar.size(), &made, error.data(), error.size()) != SHOAL_TOKENIZER_OK) {
    return fail(Code::kInvalidArgument, error.data());
  }
  return std::make_unique<Constraint>(made, vocabulary_);
}

Constraint::~Constraint() { shoal_constraint_free(handle_); }

Result<std::string> Constraint::mask() {
  std::string mask((vocabulary_ + 7) / 8, '\0');
  ErrorText error{};
  const int status = shoal_constraint_mask(handle_, reinterpret_cast<std::uint8_t*>(mask.data()), mask.size(),
                                           error.data(), error.size());
  if (Status done = status_of(status, "cannot constrain the answer", error); !done) {
    return fail(std::move(done.error()));
  }
  return mask;
}

Status Constraint::take(std::uint32_t id) {
  ErrorText error{};
  return status_of(shoal_constraint_take(handle_, id, error.data(), error.size()),
                   "the answer left what it was constrained to", error);
}

bool Constraint::has_ended() const { return shoal_constraint_has_ended(handle_) != 0; }

}  // namespace shoal::text
