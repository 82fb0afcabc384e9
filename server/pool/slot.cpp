#include "server/pool/slot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "server/core/ids.hpp"
#include "server/core/percent_encoded.hpp"
#include "server/net/deadline.hpp"

namespace shoal::pool {

namespace asio = boost::asio;

namespace {

SlotTiming timing_of(const PoolConfig& config) {
  return {.connect_timeout = config.connect_timeout,
          .stable_after = config.stable_after,
          .first_backoff = config.first_backoff,
          .longest_backoff = config.longest_backoff,
          .resume_grace = config.resume_grace,
          .mend_timeout = config.mend_timeout};
}

webdriver::BrowserSpec browser_of(const webdriver::BrowserSpec& spec, const webdriver::Browser* host) {
  return host == nullptr
             ? spec
             : webdriver::BrowserSpec{.name = spec.name, .capabilities = {}, .driver = webdriver::TabSpec{host}};
}

}  // namespace

Slot::Slot(asio::any_io_executor executor, net::TaskGroup& tasks, const PoolConfig& config, SlotSpec spec,
           StartGate& gate, AcceleratorLease& lease, WorkerListener& listener, EventLog& events, Log log, Slot* host)
    : tasks_(tasks),
      config_(config),
      gate_(gate),
      lease_(lease),
      wear_(config.wear),
      spec_(std::move(spec)),
      listener_(listener),
      events_(events),
      log_(log.with("slot", spec_.name)),
      fsm_(timing_of(config), spec_.duty),
      host_(host),
      browser_(executor, browser_of(spec_.browser, host == nullptr ? nullptr : &host->browser_), log_),
      wake_(executor) {
  set_memory_limit(config.wear.max_memory_bytes);
  if (host_ != nullptr) {
    host_->tabs_.push_back(this);
  }
}

Slot::~Slot() = default;

asio::awaitable<void> Slot::run() {
  for (;;) {
    const SlotFsm::Action action = fsm_.next(Clock::now());
    // A browser that is there is not started.
    if (action == SlotFsm::Action::kLaunch && waits_for_host()) {
      continue;
    }
    if (action == SlotFsm::Action::kLaunch && !fsm_.is_mending()) {
      gate_.ask(spec_.name, fsm_.is_restart());
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
        release(kCloseRecycled, fsm_.reason());
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
  for (const Backend backend : granted_) {
    backends += (backends.empty() ? "" : ",") + std::string(backend_name(backend));
  }
  return fmt::format("{}?slot={}&token={}&backends={}", spec_.agent_url, percent_encoded(spec_.name), token_, backends);
}

asio::awaitable<void> Slot::launch() {
  launch_began_ = Clock::now();
  has_lived_ = false;
  token_ = random_hex(16);
  // A remote end has accelerators of its own.
  granted_ = is_local() ? lease_.take(browser_name(), spec_.backends) : spec_.backends;
  Status opened = fail(Code::kUnavailable, "nothing to mend");
  if (fsm_.is_mending()) {
    mends_now_ = true;
    opened = co_await mend();
    mends_now_ = false;
  }
  if (!opened && !fsm_.closing() && waits_for_host()) {
    co_return;
  }
  if (!opened && !fsm_.closing()) {
    opened = co_await browser_.open(page_url(), launch_began_ + config_.launch_timeout);
  }
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
  if (!fsm_.is_mending()) {
    log_.info("browser_launched", {{"browser", browser_.version()},
                                   {"session", browser_.session_id()},
                                   {"ms", milliseconds(Clock::now() - launch_began_)}});
  }
  fsm_.launched(Clock::now());
  note();
}

asio::awaitable<Status> Slot::mend() {
  Status mended = fail(Code::kUnavailable, "the page is not there");
  for (Teardown rung = fsm_.teardown(); rung < Teardown::kBrowser;
       rung = static_cast<Teardown>(std::to_underlying(rung) + 1)) {
    const TimePoint began = Clock::now();
    rung_ = std::max(rung_, rung);
    mended = co_await (rung == Teardown::kPage ? browser_.reload(page_url(), began + config_.mend_command)
                                               : browser_.new_tab(page_url(), began + config_.mend_command));
    log_.info("browser_mended", {{"rung", teardown_name(rung)},
                                 {"ms", milliseconds(Clock::now() - began)},
                                 {"error", mended ? std::string() : mended.error().message}});
    if (mended || fsm_.closing()) {
      co_return mended;
    }
  }
  fsm_.mend_failed();
  rung_ = std::max(rung_, Teardown::kBrowser);
  lose_tabs();
  const TimePoint deadline = Clock::now() + config_.close_timeout;
  if (const Status dropped = co_await browser_.drop(deadline); !dropped) {
    rung_ = std::max(rung_, Teardown::kAll);
    co_await browser_.end(deadline);
  }
  launch_began_ = Clock::now();
  co_return mended;
}

Teardown Slot::rung_for(Loss loss) const {
  switch (loss) {
    case Loss::kBroken:
    case Loss::kProtocol:
    case Loss::kLeft:
      return Teardown::kPage;
    case Loss::kCrashed:
    case Loss::kHung:
      return browser_.has_tabs() ? Teardown::kTab : Teardown::kBrowser;
    default:
      return Teardown::kBrowser;
  }
}

asio::awaitable<void> Slot::watch_driver() {
  const std::uint64_t watched = browser_.run_number();
  co_await browser_.driver_ended();
  // A teardown may have ended it, and the next one may run by now. A mend that needs it fails, and takes the next rung.
  if (browser_.run_number() == watched && fsm_.state() != SlotState::kLosing && !mends_now_) {
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
  if (fsm_.teardown() >= Teardown::kBrowser) {
    lose_tabs();
  }
  switch (fsm_.teardown()) {
    case Teardown::kPage:
    case Teardown::kTab:
      break;  // the launch that follows replaces it
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

void Slot::check_turn(TimePoint now) {
  if (fsm_.state() == SlotState::kWaiting && (is_hostless_ ? host_->has_browser() : gate_.may_begin(spec_.name, now))) {
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
  if (const std::optional<std::string> wrong = runaway_verdict(wear_, session_->state().memory_bytes)) {
    detach(*session_, *wrong, Loss::kMemory);
    return;
  }
  session_->expire(now);
  if (session_->figures().pending_work > 0) {
    return;
  }
  fsm_.idle();
  note();
  if (fsm_.state() == SlotState::kLosing) {
    wake_.cancel();
    return;
  }
  if (!recycle_reason_.empty() && are_tabs_idle()) {
    recycle(std::exchange(recycle_reason_, {}));
  }
}

bool Slot::may_be_replaced(TimePoint now) const {
  return is_settled() && memory_bytes() > 0 && now - connected_at_ >= wear_.memory_grace;
}

bool Slot::is_settled() const {
  return session_ != nullptr && recycle_reason_.empty() &&
         (fsm_.state() == SlotState::kReady || fsm_.state() == SlotState::kSpare);
}

std::optional<std::string> Slot::worn(TimePoint now) const {
  if (!is_settled()) {
    return std::nullopt;
  }
  if (const std::optional<Backend> backend = free_accelerator()) {
    return fmt::format("takes {}, which no browser has any more", backend_name(*backend));
  }
  return wear_verdict(
      wear_,
      {.runs = session_->figures().runs, .age = now - connected_at_, .memory_bytes = session_->state().memory_bytes});
}

bool Slot::is_being_replaced() const {
  const SlotState state = fsm_.state();
  return !recycle_reason_.empty() || state == SlotState::kWaiting || state == SlotState::kLaunching ||
         state == SlotState::kConnecting || state == SlotState::kLosing;
}

bool Slot::recycle(const std::string& reason) {
  if (fsm_.state() == SlotState::kDormant) {
    return true;  // there is none to replace
  }
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
  for (const Slot* tab : tabs_) {
    if (tab->session_ != nullptr) {
      listener_.worker_worn(tab->spec_.name);
    }
  }
  return true;
}

void Slot::drain(const std::string& reason) {
  fsm_.drain(reason);
  note();
}

void Slot::resume() {
  forget_recycle();
  fsm_.resume();
  note();
}

void Slot::assign(schedule::Duty duty, const std::string& reason) {
  fsm_.assign(duty, reason);
  listener_.slot_assigned(spec_.name, duty);
  note(reason);
  wake_.cancel();
}

void Slot::close() {
  release(kCloseGoingAway, "the server stops");
  fsm_.close();
  note();
  browser_.stop();  // a launch under way fails at once
  wake_.cancel();
}

std::uint64_t Slot::memory_bytes() const { return session_ == nullptr ? 0 : session_->state().memory_bytes; }

void Slot::set_memory(std::uint64_t bytes) {
  if (session_ != nullptr) {
    session_->set_memory(bytes);
  }
}

}  // namespace shoal::pool
