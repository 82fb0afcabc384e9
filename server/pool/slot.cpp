#include "server/pool/slot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "server/core/ids.hpp"
#include "server/core/percent_encoded.hpp"
#include "server/net/deadline.hpp"
#include "server/wire/frame.hpp"

namespace shoal::pool {

namespace asio = boost::asio;

namespace {

SlotTiming timing_of(const PoolConfig& config) {
  return {.connect_timeout = config.connect_timeout,
          .stable_after = config.stable_after,
          .first_backoff = config.first_backoff,
          .longest_backoff = config.longest_backoff};
}

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

}  // namespace

Slot::Slot(asio::any_io_executor executor, net::TaskGroup& tasks, const PoolConfig& config, SlotSpec spec,
           StartGate& gate, WorkerListener& listener, EventLog& events, Log log)
    : tasks_(tasks),
      config_(config),
      gate_(gate),
      spec_(std::move(spec)),
      listener_(listener),
      events_(events),
      log_(log.with("slot", spec_.name)),
      fsm_(timing_of(config)),
      browser_(executor, spec_.browser, log_),
      wake_(executor) {}

Slot::~Slot() = default;

asio::awaitable<void> Slot::run() {
  for (;;) {
    const SlotFsm::Action action = fsm_.next(Clock::now());
    if (action == SlotFsm::Action::kLaunch) {
      gate_.ask(spec_.name, fsm_.launches() > 1);
      if (!gate_.may_begin(spec_.name, Clock::now())) {
        fsm_.wait_turn(gate_.obstacle(spec_.name, Clock::now()));
        note();
        continue;
      }
      gate_.begin(spec_.name, Clock::now());
    }
    note();
    switch (action) {
      case SlotFsm::Action::kLaunch:
        co_await launch();
        break;
      case SlotFsm::Action::kTearDown:
        co_await tear_down();
        fsm_.torn_down(Clock::now());
        note();
        break;
      case SlotFsm::Action::kWait:
        wake_.expires_at(fsm_.wake_at());
        co_await net::wait(wake_);
        break;
      case SlotFsm::Action::kStop:
        co_return;
    }
  }
}

std::string Slot::page_url() const {
  std::string backends;
  for (const Backend backend : spec_.backends) {
    backends += (backends.empty() ? "" : ",") + std::string(backend_name(backend));
  }
  return fmt::format("{}?slot={}&token={}&backends={}", spec_.agent_url, percent_encoded(spec_.name), token_, backends);
}

asio::awaitable<void> Slot::launch() {
  launch_began_ = Clock::now();
  has_lived_ = false;
  token_ = random_hex(16);
  const Status opened = co_await browser_.open(page_url(), launch_began_ + config_.launch_timeout);
  if (!opened) {
    log_.warn("browser_launch_failed", {{"what", opened.error().message}});
    release(kCloseRecycled, opened.error().message);
    fsm_.launch_failed(opened.error().message);
    note();
    co_return;
  }
  if (std::exchange(watched_run_, browser_.run_number()) != browser_.run_number()) {
    tasks_.spawn("driver of " + spec_.name, watch_driver());
  }
  log_.info("browser_launched", {{"browser", browser_.version()},
                                 {"session", browser_.session_id()},
                                 {"ms", milliseconds(Clock::now() - launch_began_)}});
  fsm_.launched(Clock::now());
  note();
}

asio::awaitable<void> Slot::watch_driver() {
  const std::uint64_t watched = browser_.run_number();
  co_await browser_.driver_ended();
  // A teardown may have ended it, and the next one may run by now.
  if (browser_.run_number() == watched && fsm_.state() != SlotState::kLosing) {
    log_.warn("driver_lost");
    release(kCloseRecycled, "the driver ended");
    fsm_.lost(Clock::now(), "the driver ended", Teardown::kAll, Loss::kDriver);
    note();
    wake_.cancel();
  }
}

asio::awaitable<void> Slot::tear_down() {
  const TimePoint deadline = Clock::now() + config_.close_timeout;
  token_.clear();
  switch (fsm_.teardown()) {
    case Teardown::kBrowser: {
      const Status dropped = co_await browser_.drop(deadline);
      if (dropped) {
        break;
      }
      log_.warn("driver_dropped", {{"what", dropped.error().message}});
      rung_ = std::max(rung_, Teardown::kAll);
      [[fallthrough]];
    }
    case Teardown::kAll:
      co_await browser_.end(deadline);
      break;
    case Teardown::kProfile:
      co_await browser_.end_and_forget(deadline);
      break;
  }
}

std::optional<Slot::Refusal> Slot::examine(const agent::v1::Hello& hello) {
  if (token_.empty() || hello.token() != token_) {
    return Refusal{kCloseRefused, "the launch token is wrong or used"};
  }
  token_.clear();
  std::string reason;
  if (hello.protocol() != wire::kAgentProtocol) {
    reason = fmt::format("protocol {} here, {} in the agent", wire::kAgentProtocol, hello.protocol());
  } else if (!config_.agent_build.empty() && hello.build() != config_.agent_build) {
    reason = "the agent's build is not the one that is served";
  } else {
    capabilities_ = std::make_shared<const agent::v1::Capabilities>(hello.capabilities());
    return std::nullopt;
  }
  log_.error("agent_mismatch", {{"what", reason}});
  fsm_.mismatch(reason);
  note();
  wake_.cancel();
  return Refusal{kCloseMismatch, std::move(reason)};
}

bool Slot::attach(AgentSession& session) {
  if (session_ != nullptr || !fsm_.hello(Clock::now())) {
    return false;
  }
  wake_.cancel();
  const double outage = lost_at_ ? milliseconds(Clock::now() - *lost_at_) : 0;
  note();
  session_ = &session;
  connected_at_ = Clock::now();
  log_.info("worker_ready", {{"adapter", session.state().adapter}, {"ms_since_loss", outage}});
  listener_.worker_ready(session);
  return true;
}

void Slot::release(std::uint16_t close_code, const std::string& reason) {
  AgentSession* session = std::exchange(session_, nullptr);
  if (session == nullptr) {
    return;
  }
  log_.warn("worker_lost", {{"what", reason}});
  session->close(close_code, reason);
  session->lose(reason);
  listener_.worker_lost(spec_.name, reason);
}

void Slot::detach(AgentSession& session, const std::string& reason, Loss loss) {
  if (session_ != &session) {
    return;
  }
  release(kCloseRecycled, reason);
  fsm_.lost(Clock::now(), reason, Teardown::kBrowser, loss);
  note();
  wake_.cancel();
}

void Slot::check_turn(TimePoint now) {
  if (fsm_.state() == SlotState::kWaiting && gate_.may_begin(spec_.name, now)) {
    fsm_.take_turn();
    wake_.cancel();
  }
}

void Slot::check(TimePoint now) {
  check_turn(now);
  if (session_ == nullptr) {
    return;
  }
  if (!has_lived_ && now - connected_at_ >= config_.stable_after) {
    has_lived_ = true;
    gate_.lived(spec_.name, now);
  }
  if (const std::optional<std::string> wrong = session_->verdict(now)) {
    detach(*session_, *wrong, Loss::kHung);
    return;
  }
  session_->expire_debug(now);
  if (session_->figures().pending_work > 0) {
    return;
  }
  fsm_.idle();
  note();
  if (!recycle_reason_.empty()) {
    recycle(std::exchange(recycle_reason_, {}));
  }
}

std::optional<std::string> Slot::worn(TimePoint now) const {
  if (session_ == nullptr || !recycle_reason_.empty() || fsm_.state() != SlotState::kReady) {
    return std::nullopt;
  }
  return wear_verdict(
      config_.wear,
      {.runs = session_->figures().runs, .age = now - connected_at_, .memory_bytes = session_->state().memory_bytes});
}

bool Slot::is_being_replaced() const {
  const SlotState state = fsm_.state();
  return !recycle_reason_.empty() || state == SlotState::kWaiting || state == SlotState::kLaunching ||
         state == SlotState::kConnecting || state == SlotState::kLosing;
}

bool Slot::recycle(const std::string& reason) {
  release(kCloseRecycled, reason);
  if (fsm_.state() == SlotState::kWaiting) {
    gate_.hurry(spec_.name, Clock::now());
  }
  const bool recycled = fsm_.recycle(reason, Teardown::kAll);
  note();
  wake_.cancel();
  return recycled;
}

bool Slot::recycle_when_idle(const std::string& reason) {
  if (session_ == nullptr) {
    return recycle(reason);
  }
  recycle_reason_ = reason;
  return true;
}

void Slot::drain(const std::string& reason) {
  fsm_.drain(reason);
  note();
}

void Slot::resume() {
  recycle_reason_.clear();
  fsm_.resume();
  note();
}

void Slot::note() {
  const SlotState state = fsm_.state();
  if (noted_ == state) {
    return;
  }
  Event event{.slot = spec_.name, .to = std::string(slot_state_name(state))};
  const bool was_connected =
      noted_ == SlotState::kReady || noted_ == SlotState::kDraining || noted_ == SlotState::kDrained;
  if (noted_) {
    event.from = slot_state_name(*noted_);
  }
  noted_ = state;
  if (state == SlotState::kLosing) {
    note_loss(event);
  } else if (fsm_.is_connected() && session_ == nullptr) {
    event.launched_in = Clock::now() - launch_began_;
    if (lost_at_) {
      event.outage = Clock::now() - *lost_at_;
      event.loss = loss_;
      event.rung = teardown_name(rung_);
    }
  } else if (state == SlotState::kBackingOff || state == SlotState::kQuarantined || state == SlotState::kDraining ||
             (state == SlotState::kWaiting && fsm_.launches() > 0)) {
    event.reason = fsm_.reason();
  }
  if (fsm_.is_connected()) {
    lost_at_.reset();
  }
  events_.record(std::move(event));
  tell_gate(was_connected);
}

void Slot::tell_gate(bool was_connected) {
  const SlotState state = fsm_.state();
  if (state == SlotState::kLosing) {
    const TimePoint now = Clock::now();
    const Loss loss = fsm_.loss();
    has_lived_ = has_lived_ || (was_connected && now - connected_at_ >= config_.stable_after);
    if (loss == Loss::kMismatch || loss == Loss::kRecycled || loss == Loss::kClosing) {
      gate_.withdrew(spec_.name);
    } else if (has_lived_) {
      gate_.lived(spec_.name, now);
    } else {
      gate_.failed(spec_.name, fsm_.reason(), now);
    }
  }
  if (state != SlotState::kWaiting && state != SlotState::kLaunching && state != SlotState::kConnecting) {
    gate_.ended(spec_.name);
  }
}

void Slot::note_loss(Event& event) {
  recycle_reason_.clear();  // it gets another browser anyway
  event.reason = fsm_.reason();
  event.loss = fsm_.loss();
  event.rung = teardown_name(fsm_.teardown());
  if (!lost_at_) {
    lost_at_ = Clock::now();
    loss_ = fsm_.loss();
    rung_ = fsm_.teardown();
  }
  rung_ = std::max(rung_, fsm_.teardown());
}

void Slot::close() {
  release(kCloseGoingAway, "the server stops");
  fsm_.close();
  note();
  browser_.stop();  // a launch under way fails at once
  wake_.cancel();
}

SlotView Slot::view() const {
  SlotView view{.slot = spec_.name, .kind = spec_.kind, .state = fsm_.state(), .reason = fsm_.reason()};
  view.restarts = fsm_.launches() == 0 ? 0 : fsm_.launches() - 1;
  view.version = browser_.version();
  if (session_ != nullptr) {
    view.capabilities = capabilities_;
    const AgentSession::Figures figures = session_->figures();
    view.worker = session_->state();
    view.last_message = figures.last_message;
    view.pending_work = figures.pending_work;
    view.wasm_bytes = figures.wasm_bytes;
    view.gpu_bytes = figures.gpu_bytes;
    view.cache_bytes = figures.cache_bytes;
  }
  return view;
}

void Slot::set_memory(std::uint64_t bytes) {
  if (session_ != nullptr) {
    session_->set_memory(bytes);
  }
}

}  // namespace shoal::pool
