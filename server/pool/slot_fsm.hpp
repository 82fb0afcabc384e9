// The life of one slot (one browser's place in the pool) as a pure state machine: what happened goes in with the time,
// what to do next comes out. It touches no process, socket or clock.
//
//   waiting -> launching                       not its turn to start, or the breaker of its browser is open
//   launching -> connecting -> ready -> losing -> launching        first loss: at once
//                                         '-> backing off -> launching   losses in a row without a stable life between
//   ready -> draining -> drained -> ready      an operator's wish; a drained slot that is lost comes back drained
//   ready, draining, drained -> resuming -> ready, draining      its connection broke, its browser lives
//   dormant -> launching; any -> losing -> dormant    others do its work, or nobody has any: no process, no profile
//   spare -> ready, ready -> spare                      in the place of `ready`, without being given work
//   any -> losing -> quarantined       the agent's protocol or build is not ours, twice in a row
//   any -> losing -> closed            the pool closes
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/core/clock.hpp"
#include "server/pool/event.hpp"
#include "server/schedule/duty.hpp"

namespace shoal::pool {

enum class SlotState : std::uint8_t {
  kWaiting,  // for its turn to start
  kLaunching,
  kConnecting,
  kReady,
  kDraining,  // connected: finishes what it has
  kDrained,   // connected and idle: takes nothing
  kResuming,  // its connection broke: it may come back with another one
  kLosing,
  kBackingOff,
  kQuarantined,
  kClosed,
  kPaused,   // of a device only: connected, and takes nothing until its owner or its screen says so
  kDormant,  // not wanted now: nothing of it is there
  kSpare,    // connected, and takes nothing until it is needed
};
std::string_view slot_state_name(SlotState state);  // "waiting", ...

// How much of the browser goes when it is lost.
enum class Teardown : std::uint8_t {
  kPage,     // loaded again, in its tab
  kTab,      // opened in a new tab; the old one is closed
  kBrowser,  // session and browser; the driver starts the next one
  kAll,      // the driver too
  kProfile,  // the driver too, and its profile: nothing cached survives
};
std::string_view teardown_name(Teardown teardown);  // "page" "tab" "browser" "driver" "profile": the rungs of recovery

struct SlotTiming {
  Duration connect_timeout{};
  Duration stable_after{};
  Duration first_backoff{};
  Duration longest_backoff{};
  Duration resume_grace{};
  Duration mend_timeout{};  // of a page that was loaded again to its hello
};

class SlotFsm {
 public:
  explicit SlotFsm(SlotTiming timing, schedule::Duty duty = schedule::Duty::kServing)
      : timing_(timing),
        duty_(duty),
        state_(duty == schedule::Duty::kDormant ? SlotState::kDormant : SlotState::kLaunching) {}

  // What the shell does now; kWait until wake_at() or the next event.
  enum class Action : std::uint8_t { kLaunch, kTearDown, kWait, kStop };
  [[nodiscard]] Action next(TimePoint now);
  [[nodiscard]] TimePoint wake_at() const;
  [[nodiscard]] Teardown teardown() const { return teardown_; }  // of the last kTearDown

  // Instead of the launch that next() has just asked for: it is not the slot's turn. Words that are not empty are the
  // reason from now on.
  void wait_turn(std::string reason);
  // It is: next() asks for the launch again.
  void take_turn();

  // Of kLaunch: the browser is there, and only its page, or tab, is to be replaced.
  [[nodiscard]] bool is_mending() const { return is_mending_; }
  // That did not work: the launch goes on as one of a browser.
  void mend_failed();

  // Events. Those that do not fit the state (a late hello, a second loss) change nothing and answer false.
  bool launched(TimePoint now);
  bool launch_failed(std::string reason);
  bool hello(TimePoint now);
  bool lost(TimePoint now, std::string reason, Teardown teardown, Loss loss = Loss::kCrashed);
  // The connection broke and the browser may live: lost unless resumed() within the grace.
  bool disconnected(TimePoint now, std::string reason);
  bool resumed();
  bool mismatch(std::string reason);  // protocol or build
  void torn_down(TimePoint now);
  // An operator's wish, for the browser that is there and those that follow.
  void drain(std::string reason);
  void resume();
  // A draining slot has nothing left to do.
  void idle();
  // What it is for from now on. To become dormant it finishes what it has.
  void assign(schedule::Duty duty, std::string reason);
  // An operator's wish: also out of quarantine and back-off.
  bool recycle(std::string reason, Teardown teardown);
  void close();

  [[nodiscard]] SlotState state() const { return state_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] std::uint64_t launches() const { return launches_; }
  // Launches but the first, and but those that brought it back from being dormant.
  [[nodiscard]] std::uint64_t restarts() const;
  // Of kLaunch: the browser is in the place of one that was lost.
  [[nodiscard]] bool is_restart() const { return launches_ > fresh_since_ + 1; }
  [[nodiscard]] schedule::Duty duty() const { return duty_; }
  // An operator's wish.
  [[nodiscard]] bool is_drained() const { return draining_; }
  [[nodiscard]] bool closing() const { return closing_; }
  [[nodiscard]] Loss loss() const { return loss_; }  // of the last loss
  // Ready, spare, draining or drained.
  [[nodiscard]] bool is_connected() const;

 private:
  void lose(std::string reason, Teardown teardown, Loss loss);

  // Of a connected slot.
  [[nodiscard]] SlotState connected_state() const;

  SlotTiming timing_;
  schedule::Duty duty_;
  SlotState state_;
  bool started_ = false;  // of kLaunching and kLosing: the shell is at it
  bool closing_ = false;
  bool is_mending_ = false;
  bool draining_ = false;
  Loss loss_ = Loss::kNone;
  Teardown teardown_ = Teardown::kAll;
  std::string reason_;
  TimePoint since_{};  // connecting, ready or backing off
  TimePoint disconnected_at_{};
  std::uint32_t failures_ = 0;
  std::uint32_t mismatches_ = 0;
  std::uint64_t launches_ = 0;
  std::uint64_t fresh_since_ = 0;   // launches before it was woken last
  std::uint64_t lives_before_ = 0;  // times that it was dormant after a launch
  Duration backoff_{};
};

}  // namespace shoal::pool
