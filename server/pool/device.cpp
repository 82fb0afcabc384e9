#include "server/pool/device.hpp"

#include <utility>

namespace shoal::pool {

namespace {

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
constexpr double kMaxGiB = 1024.0;  // a browser may say anything

}  // namespace

Device::Device(DeviceSpec spec, const PoolConfig& config, std::shared_ptr<const agent::v1::Capabilities> capabilities,
               WorkerListener& listener, EventLog& events, Log log)
    : spec_(std::move(spec)),
      config_(config),
      capabilities_(std::move(capabilities)),
      listener_(listener),
      events_(events),
      log_(log.with("slot", spec_.name)) {
  enter(SlotState::kConnecting);
}

std::uint64_t Device::memory_budget() const {
  const double gib = capabilities_->device_memory_gib();
  return gib > 0 && gib <= kMaxGiB ? static_cast<std::uint64_t>(gib / 4 * kGiB) : config_.join.memory_unknown;
}

bool Device::attach(AgentSession& session) {
  if (session_ != nullptr || state_ != SlotState::kConnecting) {
    return false;
  }
  session_ = &session;
  session.set_pause_observer([this](const std::optional<std::string>& reason) { paused(reason); });
  enter(SlotState::kReady);
  log_.info("device_joined", {{"token", spec_.token}, {"tier", tier_name(spec_.tier)}});
  listener_.worker_ready(session);
  return true;
}

void Device::detach(AgentSession& session, const std::string& reason, Loss loss) {
  if (session_ != &session) {
    return;
  }
  session_ = nullptr;
  log_.info("device_left", {{"what", reason}});
  session.close(kCloseRecycled, reason);
  session.lose(reason);
  listener_.worker_lost(spec_.name, reason);
  enter(SlotState::kLosing, reason, loss);
  enter(SlotState::kClosed);
}

void Device::disconnect(std::uint16_t close_code, const std::string& reason, Loss loss) {
  if (session_ != nullptr) {
    session_->close(close_code, reason);  // the first code that is asked for is the one that goes out
    detach(*session_, reason, loss);
  }
}

void Device::check(TimePoint now) {
  if (session_ == nullptr) {
    return;
  }
  if (const std::optional<std::string> wrong = session_->verdict(now)) {
    detach(*session_, *wrong, Loss::kHung);
    return;
  }
  session_->expire(now);
  if (state_ == SlotState::kDraining && session_->figures().pending_work == 0) {
    enter(SlotState::kDrained);
  }
}

void Device::paused(const std::optional<std::string>& reason) {
  if (reason) {
    // First the word that it takes nothing, then its work: else that would come back here.
    listener_.worker_paused(spec_.name);
    enter(SlotState::kPaused, *reason);
    session_->pause(*reason);
  } else if (state_ == SlotState::kPaused) {
    enter(is_drained_ ? SlotState::kDraining : SlotState::kReady);
    listener_.worker_resumed(spec_.name);
  }
}

bool Device::recycle(const std::string& reason) {
  const bool is_here = session_ != nullptr;
  disconnect(kCloseRecycled, reason, Loss::kRecycled);
  return is_here;
}

void Device::drain(const std::string& reason) {
  is_drained_ = true;
  if (state_ == SlotState::kReady) {
    enter(SlotState::kDraining, reason);
  }
}

void Device::resume() {
  is_drained_ = false;
  if (state_ == SlotState::kDraining || state_ == SlotState::kDrained) {
    enter(SlotState::kReady);
  }
}

std::uint64_t Device::take_runs() {
  const std::uint64_t runs = session_ == nullptr ? counted_runs_ : session_->figures().runs;
  return runs - std::exchange(counted_runs_, runs);
}

void Device::enter(SlotState state, std::string reason, Loss loss) {
  Event event{.slot = spec_.name, .to = std::string(slot_state_name(state)), .reason = reason, .loss = loss};
  if (state != SlotState::kConnecting) {
    event.from = slot_state_name(state_);
  }
  state_ = state;
  reason_ = reason.empty() ? reason_ : std::move(reason);
  events_.record(std::move(event));
}

SlotView Device::view() const {
  SlotView view{.slot = spec_.name, .kind = std::string(kDeviceKind), .state = state_, .reason = reason_};
  if (session_ != nullptr) {
    view.capabilities = capabilities_;
    session_->add_to(view);
  }
  return view;
}

}  // namespace shoal::pool
