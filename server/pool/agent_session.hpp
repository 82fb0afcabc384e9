// One accepted agent on its WebSocket, as a Worker: requests become frames, frames become answers. Every completion is
// called exactly once; when the connection ends, whatever is in hand is answered with kWorkerLost. Bytes of a browser
// that break the protocol end the connection (code 4002), never the server.
// Lives on the main lane; owned by the coroutine that serves the connection (pool/reception.cpp).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "server/core/log.hpp"
#include "server/net/websocket.hpp"
#include "server/pool/config.hpp"
#include "server/pool/liveness.hpp"
#include "server/pool/outbox.hpp"
#include "server/pool/slot_view.hpp"
#include "server/pool/work_table.hpp"
#include "server/pool/worker.hpp"
#include "server/wire/frame.hpp"

namespace shoal::pool {

inline constexpr std::uint16_t kCloseMismatch = 4001;  // the protocol or the build is not ours
inline constexpr std::uint16_t kCloseProtocol = 4002;  // a frame that must not be
inline constexpr std::uint16_t kCloseRefused = 4003;   // no such slot, a used or wrong token
inline constexpr std::uint16_t kCloseRecycled = 4004;  // the server replaces this browser
inline constexpr std::uint16_t kCloseNormal = 1000;    // the agent has said Leaving
inline constexpr std::uint16_t kCloseGoingAway = 1001;

class AgentSession final : public Worker {
 public:
  // `config` outlives the session, `socket` until unbind().
  AgentSession(net::WebSocket& socket, boost::asio::any_io_executor executor, const PoolConfig& config,
               WorkerState state, Log log);
  ~AgentSession() override;

  // Reads until the connection ends; returns why. Nothing is answered any more when it returns: call lose() or unbind()
  // then.
  boost::asio::awaitable<std::string> serve();
  // The connection is gone, the agent may come back with another one: what it is given meanwhile waits.
  void unbind();
  [[nodiscard]] bool is_on(const net::WebSocket& socket) const { return socket_ == &socket; }
  [[nodiscard]] bool is_bound() const { return socket_ != nullptr; }
  // Reads an engine's own connection until it or the session's own has ended; a breach of the protocol ends both. While
  // it is there, an idle engine gets short runs on it.
  boost::asio::awaitable<void> serve_engine(net::WebSocket& socket, std::string backend);
  // The agent is back. Whatever it does not hold of what is in hand is sent again.
  void resume(net::WebSocket& socket, const std::set<std::uint64_t>& holding);
  // Answers everything in hand, and whatever is asked from now on, with kWorkerLost.
  void lose(const std::string& reason);

  [[nodiscard]] const WorkerState& state() const override { return state_; }
  std::uint64_t load(LoadSpec spec, std::function<void(Result<LoadOutcome>)> done) override;
  std::uint64_t run(RunSpec spec, std::function<void(Result<RunOutcome>)> done) override;
  void unload(const std::string& instance) override;
  void cancel(std::uint64_t work_id) override;
  void mask(std::uint64_t work_id, std::uint32_t position, std::string allowed) override;

  // What is wrong with a connection that is open, or nothing.
  [[nodiscard]] std::optional<std::string> verdict(TimePoint now) const;
  void close(std::uint16_t code, const std::string& reason);
  // Cuts the connection, where there is one.
  void abort();
  // What to do when the agent pauses (with its reason) and when it resumes (with nothing). Without it both are
  // breaches.
  using PauseObserver = std::function<void(const std::optional<std::string>&)>;
  void set_pause_observer(PauseObserver observer) { on_pause_ = std::move(observer); }
  // Answers every run with kDeviceLost: others take them. Nothing is given to it until it resumes.
  void pause(const std::string& reason);
  [[nodiscard]] bool is_paused() const { return is_paused_; }
  void set_memory(std::uint64_t bytes) { state_.memory_bytes = bytes; }

  using DebugDone = std::function<void(Result<agent::v1::DebugReport>)>;
  // What the agent tells of itself. kDeadlineExceeded when it does not within ten seconds, kOverloaded while it is
  // asked by many, kWorkerLost.
  void debug(agent::v1::DebugRequest request, DebugDone done);

  // What each heartbeat said, the oldest first; the last ten minutes at one a second.
  struct MemorySample {
    std::int64_t unix_ms = 0;
    std::uint64_t pss_bytes = 0, wasm_bytes = 0, gpu_bytes = 0, cache_bytes = 0;
  };
  [[nodiscard]] const std::deque<MemorySample>& memory_curve() const { return curve_; }
  // Answers what was due, and ends runs whose readers take too long.
  void expire(TimePoint now);

  struct Figures {
    TimePoint last_message;
    std::uint64_t pending_work = 0, runs = 0, wasm_bytes = 0, gpu_bytes = 0, cache_bytes = 0;
  };
  [[nodiscard]] Figures figures() const;
  // What operators see of it.
  void add_to(SlotView& view) const;

 private:
  // kUnavailable: the agent leaves; any other error is a breach of the protocol.
  Status handle(std::string_view message);
  Status take_frames(std::string_view payload);
  Status take(const wire::Frame& frame);
  Status handle_engine(std::string_view message);
  Status take_output(const wire::Frame& frame);
  void drop_engines();
  // False: it must go another way.
  bool send_to_engine(const std::string& backend, const agent::v1::Envelope& run,
                      const std::shared_ptr<const std::vector<Tensor>>& inputs);
  // Of what was answered before the agent knew.
  bool is_said_again(const agent::v1::Envelope& envelope);
  Status answer(Result<WorkTable::Answer> completion);
  void note_heartbeat(const agent::v1::Heartbeat& beat);
  // An error for a completion that cannot be given to the agent; called later, not from here.
  template <class Done>
  void refuse(Done done, Error error) {
    boost::asio::post(executor_, [done = std::move(done), error = std::move(error)] { done(fail(error)); });
  }
  // Why nothing can be given to the agent now, or nothing.
  [[nodiscard]] std::optional<Error> obstacle() const;
  Status take_pause(const std::optional<std::string>& reason);
  Status take_debug(std::uint64_t work_id, const agent::v1::DebugReport& part);
  bool send_control(const agent::v1::Envelope& envelope);

  void stream(std::uint64_t work_id, Partial partial);
  void expire_debug(TimePoint now);
  void expire_held(TimePoint now);
  void send_again(const WorkTable::Request& request, bool is_held);

  net::WebSocket* socket_;  // nullptr between two connections
  boost::asio::any_io_executor executor_;
  const PoolConfig& config_;
  WorkerState state_;
  Log log_;
  WorkTable table_;
  Outbox outbox_;
  std::map<std::string, std::string> backend_of_;  // instance to backend
  std::uint64_t next_work_id_ = 1;
  std::optional<std::string> lost_;
  std::map<std::string, net::WebSocket*> engines_;  // their own connections, by backend
  std::set<std::uint64_t> answered_;                // held by the agent when it came back, though answered
  TimePoint last_message_;
  std::optional<Beat> beat_;
  Figures figures_;
  struct Debug {
    TimePoint due;
    DebugDone done;
    agent::v1::DebugReport report;
    std::size_t bytes = 0;
  };
  std::map<std::uint64_t, Debug> debugs_;
  PauseObserver on_pause_;
  bool is_paused_ = false;
  std::deque<MemorySample> curve_;
  std::map<std::uint64_t, TimePoint> held_;  // runs whose reader has a part, and since when
  std::shared_ptr<AgentSession*> alive_;     // readers that ask for more look here before they touch this
};

}  // namespace shoal::pool
