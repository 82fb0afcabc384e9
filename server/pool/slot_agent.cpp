// Of a Slot: the agent that its browser brings, from its hello to its loss.
#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>
#include <utility>

#include "server/core/ids.hpp"
#include "server/net/deadline.hpp"
#include "server/pool/slot.hpp"
#include "server/wire/frame.hpp"

namespace shoal::pool {

namespace asio = boost::asio;

namespace {

constexpr auto kAskInterval = std::chrono::milliseconds(25);

}  // namespace

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

bool Slot::attach(std::shared_ptr<AgentSession> session) {
  if (session_ != nullptr || !fsm_.hello(Clock::now())) {
    return false;
  }
  wake_.cancel();
  const double outage = lost_at_ ? milliseconds(Clock::now() - *lost_at_) : 0;
  note();
  session_ = std::move(session);
  connected_at_ = Clock::now();
  log_.info("worker_ready", {{"adapter", session_->state().adapter}, {"ms_since_loss", outage}});
  listener_.worker_ready(*session_);
  return true;
}

void Slot::release(std::uint16_t close_code, const std::string& reason) {
  const std::shared_ptr<AgentSession> session = std::exchange(session_, nullptr);
  if (session == nullptr) {
    return;
  }
  log_.warn("worker_lost", {{"what", reason}});
  session->close(close_code, reason);
  session->lose(reason);
  listener_.worker_lost(spec_.name, reason);
}

std::string Slot::new_resume_token() {
  resume_token_ = config_.resume_grace > Duration::zero() ? random_hex(16) : std::string();
  return resume_token_;
}

std::string Slot::new_engine_token() {
  engine_token_ = is_local() && !resume_token_.empty() ? random_hex(16) : std::string();
  return engine_token_;
}

std::shared_ptr<AgentSession> Slot::attached_session(const std::string& token) const {
  const bool is_there = session_ != nullptr && session_->is_bound();
  return is_there && !token.empty() && token == engine_token_ ? session_ : nullptr;
}

bool Slot::suspend(AgentSession& session, const std::string& reason) {
  if (session_.get() != &session || resume_token_.empty() || !fsm_.disconnected(Clock::now(), reason)) {
    return false;
  }
  session.unbind();
  note();
  broken_at_ = Clock::now();
  tasks_.spawn("page of " + spec_.name, ask_driver(broken_at_));
  wake_.cancel();
  return true;
}

asio::awaitable<void> Slot::ask_driver(TimePoint broken_at) {
  asio::steady_timer pause(co_await asio::this_coro::executor);
  while (fsm_.state() == SlotState::kResuming && broken_at_ == broken_at) {
    const Status lives = co_await browser_.page_lives(broken_at + config_.resume_grace);
    if (!lives && fsm_.state() == SlotState::kResuming && broken_at_ == broken_at) {
      const std::string reason = fsm_.reason();
      release(kCloseRecycled, reason);
      // A driver that has no session any more has no browser either.
      const bool has_session = lives.error().code != Code::kNotFound;
      fsm_.lost(Clock::now(), reason, has_session ? rung_for(Loss::kCrashed) : Teardown::kBrowser, Loss::kCrashed);
      note();
      wake_.cancel();
      co_return;
    }
    // A process that is killed closes its sockets before it is gone.
    pause.expires_after(kAskInterval);
    co_await net::wait(pause);
  }
}

std::shared_ptr<AgentSession> Slot::resume_session(const std::string& token) {
  if (session_ == nullptr || token.empty() || token != resume_token_) {
    return nullptr;
  }
  resume_token_.clear();
  // The agent may know of the break before this end does.
  if (fsm_.disconnected(Clock::now(), "the agent opened another connection")) {
    broken_at_ = Clock::now();
    session_->abort();
    session_->unbind();
    note();
  }
  if (!fsm_.resumed()) {
    return nullptr;
  }
  note();
  wake_.cancel();
  log_.info("worker_resumed", {{"ms", milliseconds(Clock::now() - broken_at_)}});
  return session_;
}

void Slot::detach(AgentSession& session, const std::string& reason, Loss loss) {
  if (session_.get() != &session) {
    return;
  }
  release(kCloseRecycled, reason);
  fsm_.lost(Clock::now(), reason, rung_for(loss), loss);
  note();
  wake_.cancel();
}

}  // namespace shoal::pool
