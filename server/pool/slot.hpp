// One slot: the shell of SlotFsm. It launches, admits the agent that its browser brings, and tears down, as the machine
// says; whoever notices a loss first (the connection, the watchdog, the driver) reports it here, the rest is ignored.
// Lives on the main lane; owned by the pool, whose task group runs its coroutines.
#pragma once

#include <shoal/agent/v1/agent.pb.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "server/core/log.hpp"
#include "server/net/task_group.hpp"
#include "server/pool/accelerator_lease.hpp"
#include "server/pool/agent_session.hpp"
#include "server/pool/config.hpp"
#include "server/pool/event_log.hpp"
#include "server/pool/roster.hpp"
#include "server/pool/slot_fsm.hpp"
#include "server/pool/slot_view.hpp"
#include "server/pool/start_gate.hpp"
#include "server/pool/worker.hpp"
#include "server/webdriver/browser.hpp"

namespace shoal::pool {

struct SlotSpec {
  std::string name;  // "<kind>/<n>"
  std::string kind;
  std::vector<Backend> backends;
  std::uint32_t threads = 1;
  std::string agent_url;  // of the page
  BreakerKey breaker;
  webdriver::BrowserSpec browser;
  schedule::Duty duty = schedule::Duty::kServing;  // at first
  std::uint32_t tab = 0;                           // of its browser: 0 has the browser, the others are tabs beside it
  std::uint32_t tabs = 1;                          // of that browser
};

class Slot {
 public:
  // All references outlive the slot; so does `host`, who has the browser that this slot is a tab of.
  Slot(boost::asio::any_io_executor executor, net::TaskGroup& tasks, const PoolConfig& config, SlotSpec spec,
       StartGate& gate, AcceleratorLease& lease, WorkerListener& listener, EventLog& events, Log log,
       Slot* host = nullptr);
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot();

  // The slot's life, from the first launch to closed.
  boost::asio::awaitable<void> run();

  // What the agent that says this can do here. Others may have the accelerators that it could not use.
  [[nodiscard]] WorkerState describe(const agent::v1::Hello& hello);

  // Whether the agent that says this may come in: an Error's message is the close reason. A mismatch of protocol or
  // build counts against the slot. The token is used up.
  struct Refusal {
    std::uint16_t close_code;
    std::string reason;
  };
  std::optional<Refusal> examine(const agent::v1::Hello& hello);
  // The session of an agent that has been let in; it has sent its Welcome. False: too late.
  bool attach(std::shared_ptr<AgentSession> session);
  // The session's connection broke. True when the agent may come back: the session goes on, unbound, and the driver is
  // asked whether the page lives.
  bool suspend(AgentSession& session, const std::string& reason);
  // For the agent's next connection: its session, unbound; nullptr when the token is not the last one given out, or it
  // is too late. The token is used up.
  std::shared_ptr<AgentSession> resume_session(const std::string& token);
  // For the next Welcome; empty when connections are not resumed.
  std::string new_resume_token();
  // For the engines' own connections: of browsers on this machine, whose agent can come back. Else empty.
  std::string new_engine_token();
  // The session that such a connection belongs to; nullptr when the token is not the last one, or the agent is away.
  [[nodiscard]] std::shared_ptr<AgentSession> attached_session(const std::string& token) const;
  // The session has ended or must: its work is answered, the listener told, the browser replaced. Idempotent.
  void detach(AgentSession& session, const std::string& reason, Loss loss);

  // Ends the session when it hangs; notices that a draining slot has nothing left to do.
  void check(TimePoint now);
  // Starts when it waits and its turn has come.
  void check_turn(TimePoint now);
  bool recycle(const std::string& reason);
  // Why its browser should be replaced, or nothing; not while that is under way or it is drained.
  [[nodiscard]] std::optional<std::string> worn(TimePoint now) const;
  [[nodiscard]] bool is_being_replaced() const;
  // It serves, or is a spare, long enough for its memory to count against it.
  [[nodiscard]] bool may_be_replaced(TimePoint now) const;
  // Once it has finished what it has; at once when it is not connected.
  bool recycle_when_idle(const std::string& reason);
  void drain(const std::string& reason);
  // What the slot is for from now on; the listener is told.
  void assign(schedule::Duty duty, const std::string& reason);
  [[nodiscard]] schedule::Duty duty() const { return fsm_.duty(); }
  [[nodiscard]] SlotState state() const { return fsm_.state(); }
  // An agent has been here, whatever became of it.
  [[nodiscard]] bool has_connected() const { return capabilities_ != nullptr; }
  // As its place in the roster; whether a request names it is not known here.
  [[nodiscard]] Place place() const;
  // The agent, or nothing while none is connected.
  [[nodiscard]] AgentSession* session() { return session_.get(); }
  void resume();
  void close();

  [[nodiscard]] const SlotSpec& spec() const { return spec_; }
  // The slot that has the browser.
  [[nodiscard]] const std::string& browser_name() const { return host_ == nullptr ? spec_.name : host_->spec_.name; }
  [[nodiscard]] SlotView view() const;
  [[nodiscard]] bool closed() const { return fsm_.state() == SlotState::kClosed; }
  // Root of the browser's process tree; 0 without one, and of a tab: the tree is counted once.
  [[nodiscard]] pid_t root_pid() const { return browser_.root_pid(); }
  void set_memory(std::uint64_t bytes);
  // Likewise; of a tab the one that it is in.
  [[nodiscard]] pid_t kill_pid() const { return host_ == nullptr ? root_pid() : host_->root_pid(); }
  // Of one worker: a browser may take as much for each of its tabs.
  void set_wear(std::uint64_t max_runs, Duration max_age) {
    wear_.max_runs = max_runs;
    wear_.max_age = max_age;
  }
  void set_memory_limit(std::uint64_t bytes) { wear_.max_memory_bytes = bytes * spec_.tabs; }
  // Of its browser's process tree and those of its tabs, as last measured; 0 = not measured, or a tab.
  [[nodiscard]] std::uint64_t memory_bytes() const;
  [[nodiscard]] std::uint64_t memory_limit() const { return wear_.max_memory_bytes; }

 private:
  boost::asio::awaitable<void> launch();
  // Replaces only the page, or the tab, where that is all that was lost.
  boost::asio::awaitable<Status> mend();
  boost::asio::awaitable<void> tear_down();
  // How much of the browser goes first for such a loss.
  [[nodiscard]] Teardown rung_for(Loss loss) const;
  boost::asio::awaitable<void> watch_driver();
  // Ends the wait for an agent whose page is gone.
  boost::asio::awaitable<void> ask_driver(TimePoint broken_at);
  // Of the slot that has the browser: whether tabs can be opened in it.
  [[nodiscard]] bool has_browser() const;
  // A launch has to wait for the host's browser.
  bool waits_for_host();
  // The browser goes: so do its tabs.
  void lose_tabs();
  void host_lost(const std::string& reason, Loss loss);
  [[nodiscard]] bool are_tabs_idle() const;
  // It serves or is a spare, and nobody has asked for another browser.
  [[nodiscard]] bool is_settled() const;
  // Nobody waits any more for this slot and its tabs to be idle.
  void forget_recycle();
  // Takes the session away from the dispatcher; the machine is told by the caller.
  void release(std::uint16_t close_code, const std::string& reason);
  // Tells the event log when the machine's state is another than it was last time; `why` where the change has a reason
  // that is not the machine's.
  void note(const std::string& why = {});
  void note_loss(Event& event);
  // The same, for those who wait for their turn to start.
  void tell_gate(bool was_connected);
  [[nodiscard]] std::string page_url() const;
  // Whether it could have more of the accelerators now than when its page was opened: which one.
  [[nodiscard]] std::optional<Backend> free_accelerator() const;
  // Neither of a remote end nor on its adapter.
  [[nodiscard]] bool is_local() const { return !spec_.breaker.adapter.empty(); }

  net::TaskGroup& tasks_;
  const PoolConfig& config_;
  StartGate& gate_;
  AcceleratorLease& lease_;
  std::vector<Backend> granted_;  // of spec_.backends, to the page that is or will be there
  WearLimits wear_;
  SlotSpec spec_;
  WorkerListener& listener_;
  EventLog& events_;
  Log log_;
  SlotFsm fsm_;
  Slot* host_;
  std::vector<Slot*> tabs_;   // beside this one, in its browser
  bool is_hostless_ = false;  // it waits for the host's browser, not for its turn
  webdriver::Browser browser_;
  boost::asio::steady_timer wake_;
  std::shared_ptr<AgentSession> session_;
  TimePoint connected_at_{};
  bool mends_now_ = false;    // a cheaper rung than another browser is being tried
  bool has_lived_ = false;    // this browser, for so long that it counts as one that works
  std::string token_;         // of this launch; empty when used
  std::string resume_token_;  // of the last Welcome; empty when used
  std::string engine_token_;  // of the last Welcome
  TimePoint broken_at_{};     // the connection, while it may be resumed
  std::uint64_t watched_run_ = 0;
  std::optional<SlotState> noted_;
  std::string recycle_reason_;                                   // empty: no recycling waits for the slot to be idle
  std::shared_ptr<const agent::v1::Capabilities> capabilities_;  // of the last hello
  TimePoint launch_began_{};
  // An outage: its first loss, and the highest rung that was needed.
  std::optional<TimePoint> lost_at_;
  Loss loss_ = Loss::kNone;
  Teardown rung_ = Teardown::kPage;
};

}  // namespace shoal::pool
