#include "engine/runtime/greedy.hpp"

#include <algorithm>
#include <utility>

namespace shoal::runtime {
namespace {

struct Sequence {
  std::vector<std::int32_t> pending;  // not yet given to the decoder
  std::vector<std::int32_t> made;
  std::uint32_t past = 0;
  std::uint32_t memory_length = 0;
  bool is_done = false;
};

class Greedy {
 public:
  Greedy(Executor& executor, std::span<const std::vector<std::int32_t>> prompts, const GreedyOptions& options)
      : executor_(executor), options_(options) {
    for (const auto& prompt : prompts) {
      sequences_.push_back({.pending = prompt, .made = {}});
    }
  }

  Status run() {
    if (options_.decoder_start >= 0) {
      if (auto done = encode(); !done) {
        return done;
      }
    }
    while (std::any_of(sequences_.begin(), sequences_.end(), [](const Sequence& one) { return !one.is_done; })) {
      if (auto done = step(); !done) {
        return done;
      }
    }
    return {};
  }

  std::vector<std::vector<std::int32_t>> take() {
    std::vector<std::vector<std::int32_t>> out;
    for (Sequence& sequence : sequences_) {
      out.push_back(std::move(sequence.made));
    }
    return out;
  }

 private:
  Status encode() {
    std::vector<Row> rows;
    for (std::uint32_t index = 0; index < sequences_.size(); ++index) {
      rows.push_back({.tokens = sequences_[index].pending, .slot = index});
    }
    const auto made = make_step(rows);
    if (!made) {
      return fail(made.error());
    }
    if (auto done = executor_.run("encode", *made); !done) {
      return done;
    }
    for (Sequence& sequence : sequences_) {
      sequence.memory_length = static_cast<std::uint32_t>(sequence.pending.size());
      sequence.pending = {options_.decoder_start};
    }
    return {};
  }

  Status step() {
    std::vector<Row> rows;
    std::vector<std::size_t> which;
    for (std::uint32_t index = 0; index < sequences_.size(); ++index) {
      const Sequence& one = sequences_[index];
      if (one.is_done) {
        continue;
      }
      const std::size_t most = options_.chunk == 0 ? one.pending.size() : options_.chunk;
      rows.push_back({.tokens = std::span(one.pending).first(std::min(most, one.pending.size())),
                      .slot = index,
                      .past = one.past,
                      .memory_length = one.memory_length});
      which.push_back(index);
    }
    const auto made = make_step(rows);
    if (!made) {
      return fail(made.error());
    }
    if (auto done = executor_.run("decode", *made); !done) {
      return done;
    }
    const auto logits = executor_.output("logits");
    if (!logits) {
      return fail(logits.error());
    }
    for (std::size_t row = 0; row < rows.size(); ++row) {
      advance(which[row], rows[row].tokens.size(), {logits->row(row), logits->columns});
    }
    return {};
  }

  void advance(std::size_t index, std::size_t consumed, std::span<const float> logits) {
    Sequence& one = sequences_[index];
    one.past += static_cast<std::uint32_t>(consumed);
    one.pending.erase(one.pending.begin(), one.pending.begin() + static_cast<std::ptrdiff_t>(consumed));
    if (!one.pending.empty()) {
      return;
    }
    const std::int32_t token = likeliest(logits);
    if (std::find(options_.eos.begin(), options_.eos.end(), token) != options_.eos.end() ||
        one.made.size() >= options_.max_new_tokens) {
      one.is_done = true;
      return;
    }
    one.made.push_back(token);
    one.pending = {token};
    const bool goes_on = !options_.on_token || options_.on_token(index, token);
    one.is_done = !goes_on || one.made.size() >= options_.max_new_tokens;
  }

  Executor& executor_;
  const GreedyOptions& options_;
  std::vector<Sequence> sequences_;
};

}  // namespace

Result<std::vector<std::vector<std::int32_t>>> greedy(Executor& executor,
                                                      std::span<const std::vector<std::int32_t>> prompts,
                                                      const GreedyOptions& options) {
  Greedy run(executor, prompts, options);
  if (auto done = run.run(); !done) {
    return fail(std::move(done.error()));
  }
  return run.take();
}

std::int32_t likeliest(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace shoal::runtime
