// Many answers through one executor, as a state machine: it says what the next step runs, takes its logits and tells
// what has become of whom. Pure: it owns no executor, thread or clock, and never waits.
//
// A step has one token of each sequence that writes, and chunks of prompts with the tokens that are left, in equal
// shares. So sequences join and leave at any step, and while a long prompt is read everybody else's goes on. An encoder
// reads a prompt in a step of its own. A sequence's tokens do not depend on which others there are.
//
// What has been read of prompts is used again (slot_pool.hpp): a sequence that begins like another takes over or copies
// what that one has read, and waits for it where that one is just reading it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/graph/dims.hpp"
#include "engine/kernels/matrix.hpp"
#include "engine/runtime/generation.hpp"
#include "engine/runtime/logprobs.hpp"
#include "engine/runtime/slot_pool.hpp"
#include "engine/runtime/step.hpp"

namespace shoal::runtime {

struct SequenceOptions {
  GenerationOptions generation;  // `chunk` and `slot` are not heeded
  std::string prefix_key{};      // what was read is used again for the same key only
  bool has_logprobs = false;
  std::uint32_t top_logprobs = 0;  // up to kMaxTopLogprobs
  bool is_masked = false;          // no token is drawn before allow() has said which there are
};

struct SequenceBounds {
  graph::Extents limits{};  // of the executor: at most B sequences, T tokens of a step, N slots of S and M positions
  std::uint32_t vocabulary = 0;
  bool has_encoder = false;
  // Tokens of prompts in a step in which others write, or as many as these are: what they wait for longer than by
  // themselves.
  std::uint32_t beside = 8;
};

using SequenceId = std::uint32_t;  // from 1

// Of one sequence. After one with `finished` or `error` it is not there any more.
struct SequenceEvent {
  SequenceId id = 0;
  bool was_reading = false;             // the step had to do with its prompt
  std::uint32_t reused = 0;             // tokens of its prompt that were not read again
  std::optional<std::int32_t> token{};  // that was made
  std::optional<TokenLogprobs> logprobs{};
  std::optional<FinishReason> finished{};
  std::optional<Error> error{};
};

class SequenceEngine {
 public:
  explicit SequenceEngine(const SequenceBounds& bounds);

  // kResourceLimit when there are B already; kInvalidArgument for more than kMaxTopLogprobs; else as
  // Generation::make().
  Result<SequenceId> add(std::vector<std::int32_t> prompt, SequenceOptions options);
  // Nothing more is told of it, and its slot is free at once, or with the end of the step that it is in.
  void cancel(SequenceId id);
  // Of a masked sequence: the tokens that may follow the first `position` of its answer. Bit i % 8 of byte i / 8 is
  // token i; what has no bit may not be drawn. May come one position early; one that is past is not heeded.
  // kInvalidArgument when it comes earlier than that, kNotFound when there is no such masked sequence.
  Status allow(SequenceId id, std::uint32_t position, std::span<const std::uint8_t> tokens);

  struct Copy {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    std::uint32_t count = 0;
  };
  struct Work {
    std::string_view signature{};  // "decode", or "encode"
    std::vector<Copy> copies{};    // of slots, in this order, before the step
    std::vector<Row> rows{};       // into the sequences: until advance() or abandon()
  };
  // The next step. Nothing when no sequence can go on. Requires: no step is under way.
  const Work* begin();
  // Takes note that it has run. `logits` has a row for each of the step's; nobody reads it after "encode".
  void advance(const kernels::Matrix& logits);
  // Takes note that it has not run to its end: it can be begun again. What was copied is there.
  void abandon();

  // What has happened since the last call.
  std::vector<SequenceEvent> take_events();
  // Sequences that are there and not cancelled.
  [[nodiscard]] std::uint32_t live() const;
  // Whether somebody waits for what the step under way makes.
  [[nodiscard]] bool is_wanted() const;

 private:
  struct Sequence {
    Generation generation;
    SequenceOptions options;
    std::optional<std::uint32_t> slot{};
    std::uint32_t reused = 0;
    bool is_cancelled = false;
    bool is_in_step = false;
    std::map<std::uint32_t, std::vector<std::uint8_t>> masks{};  // by position
    std::vector<float> held{};                                   // logits that wait for a mask
  };

  void admit(Work& work);
  [[nodiscard]] bool waits_for_another(const Sequence& sequence) const;
  void add_row(Work& work, SequenceId id, Sequence& sequence);
  void add_chunks(Work& work, std::uint32_t tokens);
  void take_logits(SequenceId id, Sequence& sequence, std::span<const float> logits);
  void draw(SequenceId id, Sequence& sequence, std::span<const float> logits);
  void leave(SequenceId id);
  void end_step();
  SequenceEvent& tell(SequenceId id, bool was_reading);

  SequenceBounds bounds_;
  std::uint32_t most_ = 0;
  SlotPool slots_;
  std::map<SequenceId, Sequence> sequences_;  // in their order
  std::vector<SequenceId> in_step_;           // by the step's row
  Work work_;
  std::vector<SequenceEvent> events_;
  std::vector<float> masked_;
  SequenceId last_ = 0;
};

}  // namespace shoal::runtime
