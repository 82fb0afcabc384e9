// Which sequences of stateful models live, and whose turn it is: one step of a sequence runs at a time, in the order in
// which they came, and all of them where the first one ran. Pure: time comes in as `now`. Owned by SequenceGate.
//
// A sequence lives from its first step to the answer of its last one, or until nothing of it has run or waited for
// `idle`, or until its worker is lost. A first step that comes while the id lives begins another sequence behind it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/clock.hpp"
#include "server/core/sequence_step.hpp"
#include "server/models/model.hpp"

namespace shoal::dispatch {

class Sequences {
 public:
  using Ticket = std::uint64_t;
  using Model = std::pair<std::string, std::int64_t>;  // name, version

  static constexpr std::size_t kMaxWaiting = 256;  // of one sequence, behind the step that runs

  // A step that may run now.
  struct Turn {
    Ticket ticket = 0;
    std::string worker;  // where the sequence is; empty: its first step, anywhere
    std::uint64_t number = 0;
    bool operator==(const Turn&) const = default;
  };

  // Takes a step in. A turn: it runs now; nothing: it waits, and ended() or remove() will name it, or lost() or
  // expire(). kInvalidArgument: no sequence of that id lives, and it is not a first step. kOverloaded: a limit.
  Result<std::optional<Turn>> add(const Model& model, const SequenceStep& step, Ticket ticket,
                                  const models::SequenceConfig& limits, TimePoint now);

  // What follows from a change: steps that run now, and steps whose sequence there is not any more.
  struct After {
    std::vector<Turn> turns;
    std::vector<Ticket> orphans;
  };

  // The running step was answered: by `worker`, or not at all (empty), which ends a sequence that had only begun.
  After ended(Ticket ticket, const std::string& worker, TimePoint now);

  // A step that waits leaves, and with a first step those behind it. Nothing: it is not one that waits.
  std::optional<After> remove(Ticket ticket);

  // The worker is gone, and with it what it knew of its sequences; a first step that runs may run again elsewhere.
  After lost(const std::string& worker, TimePoint now);

  [[nodiscard]] std::size_t live() const { return live_.size(); }

 private:
  using Key = std::pair<Model, std::string>;  // model, id
  struct Waiting {
    Ticket ticket = 0;
    bool is_first = false;
    bool is_last = false;
  };
  struct Sequence {
    std::string worker;
    std::uint64_t number = 0;
    Ticket running = 0;  // 0 = none
    bool is_first = false;
    bool is_last = false;   // of the running step
    bool will_end = false;  // the newest step is a last one
    std::deque<Waiting> waiting;
    Duration idle{};
    TimePoint ends_at;  // while it is idle
  };

  Turn start(Sequence& sequence, const Waiting& step);
  // Of the steps from there up to the next first one.
  void orphan(Sequence& sequence, std::deque<Waiting>::iterator from, std::vector<Ticket>& orphans);
  void set_idle(const Key& key, Sequence& sequence, TimePoint now);
  // The next one that waits runs; nobody: the sequence is erased where it is over, else idle.
  void go_on(const Key& key, bool is_over, TimePoint now, After& after);
  void erase(const Key& key);
  void expire(TimePoint now);

  std::map<Key, Sequence> live_;
  std::set<std::pair<TimePoint, Key>> idle_;  // by when they end
  std::map<Model, std::size_t> of_model_;
  std::map<Ticket, Key> tickets_;
  std::uint64_t next_number_ = 1;
};

}  // namespace shoal::dispatch
