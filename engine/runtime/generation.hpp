// One answer as a state machine: what the next step has to run, and what its logits mean. Pure: it owns no executor,
// thread or clock, so that native code, a browser's worker and a scheduler of many sequences drive the same thing.
//
//   reading   the prompt, at most `chunk` tokens a step
//   writing   one token a step
//   finished  before one of stop_ids (kStop); with max_tokens, or with a full context (kLength); told to (kCancelled)
//
// Where an encoder reads the prompt, the first step is its one, and the answer begins with decoder_start.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/runtime/executor.hpp"
#include "engine/runtime/sampler.hpp"

namespace shoal::runtime {

enum class FinishReason : std::uint8_t { kStop, kLength, kCancelled };
// "stop", "length", "cancelled".
std::string_view finish_name(FinishReason reason);

struct GenerationOptions {
  std::uint32_t max_tokens = 0;          // 0 makes nothing
  std::uint32_t chunk = 128;             // tokens of a prompt in one step, from 1
  std::vector<std::int32_t> stop_ids{};  // the answer ends before one of these
  std::int32_t decoder_start = -1;       // -1 where there is no encoder
  std::uint32_t slot = 0;                // where the sequence's keys and values lie
  SamplingOptions sampling{};
};

// What a model allows.
struct GenerationBounds {
  std::uint32_t vocabulary = 0;
  std::uint32_t context = 0;  // positions of the decoder that there is room for
  std::uint32_t memory = 0;   // positions of an encoder's output that there is room for
};

class Generation {
 public:
  // kInvalidArgument for an empty prompt, an id beyond the vocabulary or an option out of its range;
  // kContextLengthExceeded for a prompt that does not fit beside one token of an answer.
  static Result<Generation> make(std::vector<std::int32_t> prompt, GenerationOptions options,
                                 const GenerationBounds& bounds);

  struct Work {
    std::string_view signature;  // "decode", or "encode"
    Row row;                     // into the generation: until the next advance()
  };
  // Requires: not finished.
  [[nodiscard]] Work next() const;
  // Tokens of the prompt in the next steps, from 1.
  void set_chunk(std::uint32_t chunk) { options_.chunk = chunk; }
  // The first `reused` tokens of the prompt lie in the slot already. Requires: nothing has run, there is no encoder,
  // and the prompt is longer.
  void begin_in(std::uint32_t slot, std::uint32_t reused);
  // Takes note that next() has run. `logits` are those after the row's last token, and nobody reads them while the
  // prompt is being read. The token that was made, if one was. kInternal when no logit is a number.
  Result<std::optional<std::int32_t>> advance(std::span<const float> logits);
  void cancel();

  // Set once it is finished.
  [[nodiscard]] std::optional<FinishReason> finished() const { return finished_; }
  [[nodiscard]] bool is_reading() const { return made_.empty() && !finished_; }
  [[nodiscard]] const std::vector<std::int32_t>& made() const { return made_; }
  [[nodiscard]] const std::vector<std::int32_t>& prompt() const { return prompt_; }
  // Tokens of the prompt that are not read.
  [[nodiscard]] std::uint32_t unread() const { return static_cast<std::uint32_t>(prompt_.size()) - read_; }
  [[nodiscard]] const SamplingOptions& sampling() const { return options_.sampling; }

 private:
  Generation(std::vector<std::int32_t> prompt, GenerationOptions options, const GenerationBounds& bounds,
             Sampler sampler);
  [[nodiscard]] std::span<const std::int32_t> pending() const;

  std::vector<std::int32_t> prompt_;
  GenerationOptions options_;
  GenerationBounds bounds_;
  Sampler sampler_;
  std::vector<std::int32_t> made_;
  std::optional<FinishReason> finished_;
  std::int32_t last_ = 0;   // the token that the decoder reads next, once the prompt is read
  std::uint32_t read_ = 0;  // tokens of the prompt that are read
  std::uint32_t past_ = 0;  // positions of the decoder that are filled
  bool has_encoded_ = false;
};

// Runs next() in the executor and advances: one step. Errors are those of Executor::run() and Generation::advance().
Result<std::optional<std::int32_t>> run_step(Executor& executor, Generation& generation);

}  // namespace shoal::runtime
