#include "engine/runtime/sequence_engine.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace shoal::runtime {
namespace {

using graph::Symbol;

// What another one is about to read is not worth waiting for when it is shorter.
constexpr std::uint32_t kWorthWaiting = 16;

}  // namespace

SequenceEngine::SequenceEngine(const SequenceBounds& bounds)
    : bounds_(bounds),
      most_(std::min({bounds.limits[Symbol::kRows], bounds.limits[Symbol::kTokens], bounds.limits[Symbol::kOutputs]})),
      slots_(bounds.limits[Symbol::kSlots]) {}

Result<SequenceId> SequenceEngine::add(std::vector<std::int32_t> prompt, SequenceOptions options) {
  if (options.top_logprobs > kMaxTopLogprobs) {
    return fail(Code::kInvalidArgument, "top_logprobs: expected a number up to " + std::to_string(kMaxTopLogprobs),
                "top_logprobs");
  }
  if (live() >= most_) {
    return fail(Code::kResourceLimit, "there are " + std::to_string(most_) + " answers being made already");
  }
  const std::uint32_t tokens = bounds_.limits[Symbol::kTokens];
  auto generation = Generation::make(std::move(prompt), options.generation,
                                     {.vocabulary = bounds_.vocabulary,
                                      .context = bounds_.limits[Symbol::kContext],
                                      .memory = std::min(bounds_.limits[Symbol::kMemory], tokens)});
  if (!generation) {
    return fail(std::move(generation.error()));
  }
  options.top_logprobs = std::min(options.top_logprobs, bounds_.vocabulary);
  const SequenceId id = ++last_;
  if (generation->finished()) {
    tell(id, false).finished = generation->finished();
    return id;
  }
  sequences_.emplace(id, Sequence{.generation = std::move(*generation), .options = std::move(options)});
  return id;
}

void SequenceEngine::cancel(SequenceId id) {
  std::erase_if(events_, [&](const SequenceEvent& event) { return event.id == id; });
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) {
    return;
  }
  if (found->second.is_in_step) {
    found->second.is_cancelled = true;
  } else {
    leave(id);
  }
}

Status SequenceEngine::allow(SequenceId id, std::uint32_t position, std::span<const std::uint8_t> tokens) {
  const auto found = sequences_.find(id);
  if (found == sequences_.end() || !found->second.options.is_masked) {
    return fail(Code::kNotFound, "no answer waits for this mask");
  }
  Sequence& sequence = found->second;
  const std::size_t next = sequence.generation.made().size();
  if (position > next + 1) {
    return fail(Code::kInvalidArgument,
                "a mask for position " + std::to_string(position) + " of an answer of " + std::to_string(next),
                "position");
  }
  if (position >= next) {
    sequence.masks.insert_or_assign(position, std::vector(tokens.begin(), tokens.end()));
  }
  if (position == next && !sequence.held.empty()) {
    const std::vector<float> logits = std::exchange(sequence.held, {});
    draw(id, sequence, logits);
  }
  return {};
}

const SequenceEngine::Work* SequenceEngine::begin() {
  work_ = {.signature = "decode"};
  admit(work_);
  if (bounds_.has_encoder) {
    for (auto& [id, sequence] : sequences_) {
      if (sequence.slot && sequence.generation.next().signature == "encode") {
        work_.signature = "encode";
        add_row(work_, id, sequence);
        return &work_;
      }
    }
  }
  for (auto& [id, sequence] : sequences_) {
    if (sequence.slot && sequence.generation.unread() == 0 && sequence.held.empty()) {
      add_row(work_, id, sequence);
    }
  }
  const auto writing = static_cast<std::uint32_t>(work_.rows.size());
  const std::uint32_t rest = bounds_.limits[Symbol::kTokens] - writing;
  add_chunks(work_, writing == 0 ? rest : std::min(rest, std::max({bounds_.beside, writing, 1U})));
  return work_.rows.empty() ? nullptr : &work_;
}

void SequenceEngine::admit(Work& work) {
  for (auto& [id, sequence] : sequences_) {
    if (sequence.slot || waits_for_another(sequence)) {
      continue;
    }
    const auto prompt = bounds_.has_encoder ? std::span<const std::int32_t>() : sequence.generation.prompt();
    const auto place = slots_.take(prompt, sequence.options.prefix_key);
    if (!place) {
      return;
    }
    sequence.slot = place->slot;
    sequence.reused = place->reused;
    sequence.generation.begin_in(place->slot, place->reused);
    if (place->source) {
      work.copies.push_back({.from = *place->source, .to = place->slot, .count = place->reused});
    }
  }
}

// Whether a sequence is just reading what this one could use.
bool SequenceEngine::waits_for_another(const Sequence& sequence) const {
  if (bounds_.has_encoder) {
    return false;
  }
  const std::span<const std::int32_t> prompt = sequence.generation.prompt();
  const std::uint32_t there = slots_.reusable(prompt, sequence.options.prefix_key);
  return std::ranges::any_of(sequences_, [&](const auto& entry) {
    const Sequence& other = entry.second;
    return other.slot && other.generation.unread() > 0 && other.options.prefix_key == sequence.options.prefix_key &&
           common_prefix(other.generation.prompt(), prompt.first(prompt.size() - 1)) > there + kWorthWaiting;
  });
}

void SequenceEngine::add_row(Work& work, SequenceId id, Sequence& sequence) {
  work.rows.push_back(sequence.generation.next().row);
  sequence.is_in_step = true;
  in_step_.push_back(id);
}

// Those with the least to read first: what they leave of their shares is for the others.
void SequenceEngine::add_chunks(Work& work, std::uint32_t tokens) {
  std::vector<std::pair<std::uint32_t, SequenceId>> readers;
  for (const auto& [id, sequence] : sequences_) {
    if (sequence.slot && sequence.generation.unread() > 0 && sequence.held.empty()) {
      readers.emplace_back(sequence.generation.unread(), id);
    }
  }
  std::ranges::sort(readers);
  auto left = static_cast<std::uint32_t>(readers.size());
  for (const auto& [unread, id] : readers) {
    const std::uint32_t share = std::min(unread, (tokens + left - 1) / left);
    --left;
    if (share > 0) {
      Sequence& sequence = sequences_.at(id);
      sequence.generation.set_chunk(share);
      add_row(work, id, sequence);
      tokens -= share;
    }
  }
}

void SequenceEngine::advance(const kernels::Matrix& logits) {
  for (std::size_t row = 0; row < in_step_.size(); ++row) {
    const SequenceId id = in_step_[row];
    Sequence& sequence = sequences_.at(id);
    const std::span<const std::int32_t> tokens = work_.rows[row].tokens;
    if (!bounds_.has_encoder) {
      slots_.append(*sequence.slot, tokens);
    }
    if (sequence.is_cancelled) {
      continue;
    }
    if (work_.signature == "encode" || sequence.generation.unread() > tokens.size()) {
      tell(id, true);
      // Without logits nothing can fail.
      (void)sequence.generation.advance({});
    } else {
      take_logits(id, sequence, {logits.row(row), logits.columns});
    }
  }
  end_step();
}

void SequenceEngine::abandon() { end_step(); }

void SequenceEngine::end_step() {
  for (const SequenceId id : std::exchange(in_step_, {})) {
    const auto found = sequences_.find(id);
    if (found != sequences_.end()) {
      found->second.is_in_step = false;
      if (found->second.is_cancelled) {
        leave(id);
      }
    }
  }
}

void SequenceEngine::take_logits(SequenceId id, Sequence& sequence, std::span<const float> logits) {
  const auto position = static_cast<std::uint32_t>(sequence.generation.made().size());
  if (sequence.options.is_masked && !sequence.masks.contains(position)) {
    tell(id, sequence.generation.is_reading());
    sequence.held.assign(logits.begin(), logits.end());
  } else {
    draw(id, sequence, logits);
  }
}

void SequenceEngine::draw(SequenceId id, Sequence& sequence, std::span<const float> logits) {
  SequenceEvent& event = tell(id, sequence.generation.is_reading());
  if (sequence.options.is_masked) {
    const auto position = static_cast<std::uint32_t>(sequence.generation.made().size());
    const std::vector<std::uint8_t> mask = std::move(sequence.masks.extract(position).mapped());
    masked_.assign(logits.begin(), logits.end());
    for (std::size_t token = 0; token < masked_.size(); ++token) {
      if (token / 8 >= mask.size() || (mask[token / 8] >> (token % 8) & 1) == 0) {
        masked_[token] = -std::numeric_limits<float>::infinity();
      }
    }
    logits = masked_;
  }
  auto token = sequence.generation.advance(logits);
  if (!token) {
    event.error = std::move(token.error());
    return leave(id);
  }
  event.token = *token;
  if (event.token && sequence.options.has_logprobs) {
    event.logprobs =
        logprobs_of(logits, sequence.generation.sampling().logit_bias, **token, sequence.options.top_logprobs);
  }
  event.finished = sequence.generation.finished();
  if (event.finished) {
    leave(id);
  }
}

void SequenceEngine::leave(SequenceId id) {
  const auto found = sequences_.find(id);
  if (found->second.slot) {
    slots_.give_back(*found->second.slot);
  }
  sequences_.erase(found);
}

SequenceEvent& SequenceEngine::tell(SequenceId id, bool was_reading) {
  const auto found = sequences_.find(id);
  const std::uint32_t reused = found == sequences_.end() ? 0 : found->second.reused;
  return events_.emplace_back(SequenceEvent{.id = id, .was_reading = was_reading, .reused = reused});
}

std::vector<SequenceEvent> SequenceEngine::take_events() { return std::exchange(events_, {}); }

std::uint32_t SequenceEngine::live() const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(sequences_, [](const auto& entry) { return !entry.second.is_cancelled; }));
}

bool SequenceEngine::is_wanted() const {
  return std::ranges::any_of(in_step_, [&](SequenceId id) { return !sequences_.at(id).is_cancelled; });
}

}  // namespace shoal::runtime
