// A device that joined by URL, while it is connected: what a Slot is to a browser of ours, without a launch and without
// a successor. Lives on the main lane; owned by the device list.
#pragma once

#include <shoal/agent/v1/agent.pb.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/core/log.hpp"
#include "server/core/tier.hpp"
#include "server/pool/agent_session.hpp"
#include "server/pool/config.hpp"
#include "server/pool/event_log.hpp"
#include "server/pool/slot_view.hpp"
#include "server/pool/worker.hpp"

namespace shoal::pool {

inline constexpr std::uint16_t kCloseLater = 4006;  // not now: the page may try again in a while
inline constexpr std::string_view kDeviceKind = "device";

struct DeviceSpec {
  std::string name;  // "device/<number>"
  std::uint32_t number = 0;
  std::vector<Backend> backends;  // allowed
  std::uint32_t threads = 0;      // of each wasm engine; 0 = the agent chooses
  Tier tier = Tier::kUntrusted;
  std::string token;    // id of its join token
  std::string new_key;  // for its Welcome; empty when it has one
};

class Device {
 public:
  // The references outlive the device.
  Device(DeviceSpec spec, const PoolConfig& config, std::shared_ptr<const agent::v1::Capabilities> capabilities,
         WorkerListener& listener, EventLog& events, Log log);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() = default;

  [[nodiscard]] const DeviceSpec& spec() const { return spec_; }
  [[nodiscard]] std::uint64_t memory_budget() const;

  // As Slot's. The agent has sent its Welcome.
  bool attach(AgentSession& session);
  // Its work is answered and the listener told; the caller removes the device. Idempotent.
  void detach(AgentSession& session, const std::string& reason, Loss loss);

  void check(TimePoint now);
  // Closes its connection with this code; all that follows is like any other loss.
  void disconnect(std::uint16_t close_code, const std::string& reason, Loss loss);
  // By an operator. False: it has gone. A device has no browser of ours to replace: its page is closed and comes back.
  bool recycle(const std::string& reason);
  bool recycle_when_idle(const std::string& reason) { return recycle(reason); }
  void drain(const std::string& reason);
  void resume();
  // None of its processes is here.
  [[nodiscard]] static pid_t kill_pid() { return 0; }
  // Runs that it was given since the last call.
  std::uint64_t take_runs();

  [[nodiscard]] AgentSession* session() { return session_; }
  [[nodiscard]] SlotView view() const;

 private:
  void paused(const std::optional<std::string>& reason);
  void enter(SlotState state, std::string reason = {}, Loss loss = Loss::kNone);

  DeviceSpec spec_;
  const PoolConfig& config_;
  std::shared_ptr<const agent::v1::Capabilities> capabilities_;
  WorkerListener& listener_;
  EventLog& events_;
  Log log_;
  SlotState state_ = SlotState::kConnecting;
  bool is_drained_ = false;  // an operator's wish; outlasts a pause
  std::string reason_;
  AgentSession* session_ = nullptr;
  std::uint64_t counted_runs_ = 0;
};

}  // namespace shoal::pool
