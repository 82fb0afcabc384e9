#include "engine/runtime/generation.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace shoal::runtime {

std::string_view finish_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    default:
      return "cancelled";
  }
}

Result<Generation> Generation::make(std::vector<std::int32_t> prompt, GenerationOptions options,
                                    const GenerationBounds& bounds) {
  if (prompt.empty()) {
    return fail(Code::kInvalidArgument, "the prompt has no tokens", "tokens");
  }
  if (options.chunk == 0) {
    return fail(Code::kInvalidArgument, "chunk: expected a number from 1", "chunk");
  }
  const auto is_known = [&](std::int32_t id) { return id >= 0 && static_cast<std::uint32_t>(id) < bounds.vocabulary; };
  if (const auto id = std::ranges::find_if_not(prompt, is_known); id != prompt.end()) {
    return fail(Code::kInvalidArgument,
                "tokens: " + std::to_string(*id) + " is no token id below " + std::to_string(bounds.vocabulary),
                "tokens");
  }
  const bool has_encoder = options.decoder_start >= 0;
  if (has_encoder && !is_known(options.decoder_start)) {
    return fail(Code::kInvalidArgument, "decoder_start is no token id", "decoder_start");
  }
  // The last token of an answer is never read again: it needs no position.
  const std::size_t most = has_encoder ? bounds.memory : bounds.context;
  if (prompt.size() > most || (has_encoder && bounds.context == 0)) {
    return fail(
        Code::kContextLengthExceeded,
        "the prompt has " + std::to_string(prompt.size()) + " tokens, there is room for " + std::to_string(most),
        "tokens");
  }
  auto sampler = Sampler::make(options.sampling, bounds.vocabulary);
  if (!sampler) {
    return fail(std::move(sampler.error()));
  }
  return Generation(std::move(prompt), std::move(options), bounds, std::move(*sampler));
}

Generation::Generation(std::vector<std::int32_t> prompt, GenerationOptions options, const GenerationBounds& bounds,
                       Sampler sampler)
    : prompt_(std::move(prompt)), options_(std::move(options)), bounds_(bounds), sampler_(std::move(sampler)) {
  for (const std::int32_t token : prompt_) {
    sampler_.see_prompt(token);
  }
  last_ = options_.decoder_start;
  made_.reserve(std::min(options_.max_tokens, bounds_.context));
  if (options_.max_tokens == 0) {
    finished_ = FinishReason::kLength;
  }
}

std::span<const std::int32_t> Generation::pending() const {
  if (read_ == prompt_.size()) {
    return {&last_, 1};
  }
  const std::span<const std::int32_t> rest = std::span(prompt_).subspan(read_);
  // An encoder sees all of a prompt or none of it.
  return options_.decoder_start >= 0 ? rest : rest.first(std::min<std::size_t>(options_.chunk, rest.size()));
}

Generation::Work Generation::next() const {
  const bool is_encoding = options_.decoder_start >= 0 && !has_encoded_;
  return {.signature = is_encoding ? "encode" : "decode",
          .row = {.tokens = pending(),
                  .slot = options_.slot,
                  .past = past_,
                  .memory_length = has_encoded_ ? static_cast<std::uint32_t>(prompt_.size()) : 0}};
}

Result<std::optional<std::int32_t>> Generation::advance(std::span<const float> logits) {
  const auto count = static_cast<std::uint32_t>(pending().size());
  if (options_.decoder_start >= 0 && !has_encoded_) {
    has_encoded_ = true;
    read_ = count;
    return std::nullopt;
  }
  past_ += count;
  if (read_ < prompt_.size()) {
    read_ += count;
    if (read_ < prompt_.size()) {
      return std::nullopt;
    }
  }
  const auto token = sampler_.sample(logits);
  if (!token) {
    return fail(token.error());
  }
  if (std::ranges::find(options_.stop_ids, *token) != options_.stop_ids.end()) {
    finished_ = FinishReason::kStop;
    return std::nullopt;
  }
  sampler_.see_answer(*token);
  made_.push_back(*token);
  last_ = *token;
  if (made_.size() == options_.max_tokens || past_ == bounds_.context) {
    finished_ = FinishReason::kLength;
  }
  return *token;
}

void Generation::begin_in(std::uint32_t slot, std::uint32_t reused) {
  options_.slot = slot;
  read_ = past_ = reused;
}

void Generation::cancel() {
  if (!finished_) {
    finished_ = FinishReason::kCancelled;
  }
}

Result<std::optional<std::int32_t>> run_step(Executor& executor, Generation& generation) {
  const Generation::Work work = generation.next();
  const auto step = make_step({&work.row, 1});
  if (!step) {
    return fail(step.error());
  }
  if (auto done = executor.run(work.signature, *step); !done) {
    return fail(std::move(done.error()));
  }
  if (work.signature == "encode") {
    return generation.advance({});
  }
  const auto logits = executor.output("logits");
  if (!logits) {
    return fail(logits.error());
  }
  return generation.advance({logits->row(0), logits->columns});
}

}  // namespace shoal::runtime
