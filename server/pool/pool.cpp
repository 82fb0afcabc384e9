#include "server/pool/pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <thread>
#include <utility>

#include "server/net/deadline.hpp"
#include "server/net/task_group.hpp"
#include "server/pool/accelerator_lease.hpp"
#include "server/pool/home_lock.hpp"
#include "server/pool/memory_watch.hpp"
#include "server/pool/reception.hpp"
#include "server/pool/slot.hpp"
#include "server/pool/slot_specs.hpp"
#include "server/webdriver/process_tree.hpp"

namespace shoal::pool {

namespace asio = boost::asio;

namespace {

constexpr auto kCheckInterval = std::chrono::milliseconds(250);
// A check that comes later than this was held up with everything else on this machine: it judges nobody.
constexpr auto kLateCheck = std::chrono::seconds(1);
constexpr std::size_t kMaxConnections = 256;

}  // namespace

class Pool::Body {
 public:
  Body(asio::any_io_executor main_lane, asio::thread_pool& cpu, PoolConfig config, Log log, WorkerListener& listener,
       EventLog& events)
      : executor_(std::move(main_lane)),
        cpu_(cpu),
        config_(std::move(config)),
        log_(std::move(log)),
        listener_(listener),
        events_(events),
        tasks_(executor_, log_),
        gate_(config_.start_concurrency, config_.breaker,
              {.changed = [this](const BreakerView& view, BreakerState from) { note(view, from); },
               .freed = [this] { check_turns(); }}),
        lease_(config_.leases_accelerators),
        devices_(config_, listener_, events_, log_),
        reception_{.config = config_,
                   .origins = {},
                   .find = [this](std::string_view name) { return find(name); },
                   .devices = devices_,
                   .log = log_,
                   .traffic = traffic_},
        groups_(executor_, listener_, config_.leases_accelerators),
        memory_(executor_, cpu_, config_, slots_, listener_, events_) {}
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;

  Status start(std::string agent_url) {
    agent_url_ = std::move(agent_url);
    Status prepared = lock_.take(config_.home);
    if (prepared) {
      prepared = make_slots();
    }
    if (prepared) {
      prepared = devices_.start();
    }
    if (!prepared) {
      return prepared;
    }
    for (const auto& slot : slots_) {
      ++running_slots_;
      tasks_.spawn(slot->spec().name, run_slot(*slot));
    }
    tasks_.spawn("pool checks", check_slots());
    if (config_.monitors_memory) {
      tasks_.spawn("pool memory", memory_.run());
    }
    return {};
  }

  void set_limits(const PoolConfig& config) {
    config_.link_silence = config.link_silence;
    config_.page_silence = config.page_silence;
    config_.engine_silence = config.engine_silence;
    config_.load_timeout = config.load_timeout;
    config_.join.max_devices = config.join.max_devices;
    groups_.set_pace(config.scaling);
    for (const auto& slot : slots_) {
      slot->set_wear(config.wear.max_runs, config.wear.max_age);
    }
  }

  void accept(asio::ip::tcp::socket socket, net::UpgradeRequest request, std::string peer) {
    if (connections_ >= kMaxConnections) {
      log_.warn("agent_refused", {{"what", "too many connections"}});
      return;
    }
    tasks_.spawn("agent connection", receive(std::move(socket), std::move(request), std::move(peer)));
  }

  // `act` on the slot or the device; kUnavailable when it answers false.
  template <class Act>
  Status with_slot(std::string_view name, Act act) {
    if (Device* device = devices_.find(name)) {
      return act(*device) ? Status() : fail(Code::kUnavailable, "the device has gone", "slot");
    }
    Slot* slot = find(name);
    if (slot == nullptr) {
      return fail(Code::kNotFound, fmt::format("no worker slot '{}'", name), "slot");
    }
    return act(*slot) ? Status() : fail(Code::kUnavailable, "the pool closes");
  }

  // Reading the tree takes milliseconds.
  void kill(pid_t root) {
    asio::post(cpu_, [root] {
      for (const pid_t pid : webdriver::descendants(root)) {
        ::kill(pid, SIGKILL);
      }
    });
  }

  [[nodiscard]] std::vector<SlotView> snapshot() const {
    std::vector<SlotView> views;
    views.reserve(slots_.size());
    for (const auto& slot : slots_) {
      views.push_back(slot->view());
    }
    devices_.add_views(views);
    return views;
  }

  [[nodiscard]] std::vector<BreakerView> breakers() const { return gate_.breakers(Clock::now()); }
  [[nodiscard]] Devices& devices() { return devices_; }
  [[nodiscard]] BrowserGroups& groups() { return groups_; }
  [[nodiscard]] const MemoryPressure& memory() const { return memory_.pressure(); }
  [[nodiscard]] net::WebSocket::Traffic traffic() const { return traffic_; }

  asio::awaitable<void> close() {
    groups_.stop();
    for (const auto& slot : slots_) {
      slot->close();
    }
    devices_.close();
    // Slots end by their own machine, each step of which is bounded; cancelling them would leave processes.
    while (running_slots_ > 0) {
      asio::steady_timer timer(executor_, std::chrono::milliseconds(5));
      co_await net::wait(timer);
    }
    co_await tasks_.close();
  }

 private:
  Status make_slots();

  void note(const BreakerView& view, BreakerState from) {
    events_.record({.slot = {},
                    .from = std::string(breaker_state_name(from)),
                    .to = std::string(breaker_state_name(view.state)),
                    .reason = view.reason,
                    .breaker = view.key.browser + (view.key.adapter.empty() ? "" : " " + view.key.adapter)});
  }

  void check_turns() {
    for (const auto& slot : slots_) {
      slot->check_turn(Clock::now());
    }
  }

  Slot* find(std::string_view name) {
    const auto found = std::ranges::find_if(slots_, [name](const auto& slot) { return slot->spec().name == name; });
    return found == slots_.end() ? nullptr : found->get();
  }

  asio::awaitable<void> run_slot(Slot& slot) {
    std::exception_ptr thrown;
    try {
      co_await slot.run();
    } catch (...) {
      thrown = std::current_exception();  // a bug, logged by the task group; close() must not wait for this slot
    }
    --running_slots_;
    if (thrown) {
      std::rethrow_exception(thrown);
    }
  }

  asio::awaitable<void> receive(asio::ip::tcp::socket socket, net::UpgradeRequest request, std::string peer) {
    struct Counted {
      std::size_t& count;
      explicit Counted(std::size_t& counter) : count(++counter) {}
      Counted(const Counted&) = delete;
      Counted& operator=(const Counted&) = delete;
      ~Counted() { --count; }
    };
    const Counted counted(connections_);
    co_await receive_agent(reception_, std::move(socket), std::move(request), std::move(peer));
  }

  asio::awaitable<void> check_slots() {
    asio::steady_timer timer(executor_);
    for (;;) {
      const TimePoint due = Clock::now() + kCheckInterval;
      timer.expires_at(due);
      co_await net::wait(timer);
      const TimePoint now = Clock::now();
      if (now - due < kLateCheck) {
        for (const auto& slot : slots_) {
          slot->check(now);
        }
        devices_.check(now);
        replace_worn(now);
        groups_.check(now, memory_.pressure().is_pressed());
      }
    }
  }

  // One at a time: the others take its work meanwhile.
  void replace_worn(TimePoint now) {
    if (slots_.size() > 1 && std::ranges::any_of(slots_, [](const auto& slot) { return slot->is_being_replaced(); })) {
      return;
    }
    for (const auto& slot : slots_) {
      if (const std::optional<std::string> why = slot->worn(now)) {
        replace(*slot, *why);
        return;
      }
    }
    if (const auto excess = memory_.excess(now)) {
      replace(*excess->slot, excess->reason);
    }
  }

  void replace(Slot& slot, const std::string& why) {
    listener_.worker_worn(slot.spec().name);
    slot.recycle_when_idle(why);
  }

  asio::any_io_executor executor_;
  asio::thread_pool& cpu_;
  PoolConfig config_;  // set_limits() alone changes it
  Log log_;
  WorkerListener& listener_;
  EventLog& events_;
  std::string agent_url_;
  net::WebSocket::Traffic traffic_;
  net::TaskGroup tasks_;
  StartGate gate_;
  AcceleratorLease lease_;
  Devices devices_;
  Reception reception_;
  BrowserGroups groups_;
  std::vector<std::unique_ptr<Slot>> slots_;
  MemoryWatch memory_;
  std::size_t running_slots_ = 0;
  std::size_t connections_ = 0;
  HomeLock lock_;
};

Status Pool::Body::make_slots() {
  Result<std::vector<std::vector<SlotSpec>>> specs = slot_specs_of(config_, agent_url_);
  if (!specs) {
    return fail(std::move(specs.error()));
  }
  for (std::size_t at = 0; at < specs->size(); ++at) {
    std::vector<Slot*> own;
    Slot* host = nullptr;
    for (SlotSpec& spec : specs->at(at)) {
      gate_.add(spec.name, spec.breaker);
      reception_.origins.push_back(origin_of(spec.agent_url));
      host = spec.tab == 0 ? nullptr : host;
      slots_.push_back(std::make_unique<Slot>(executor_, tasks_, config_, std::move(spec), gate_, lease_, groups_,
                                              events_, log_, host));
      own.push_back(slots_.back().get());
      host = host == nullptr ? own.back() : host;
    }
    groups_.add(config_.groups[at], config_.scaling, std::move(own));
  }
  return {};
}

Pool::Pool(asio::any_io_executor main_lane, asio::thread_pool& cpu, PoolConfig config, Log log,
           WorkerListener& listener, EventLog& events)
    : body_(std::make_unique<Body>(std::move(main_lane), cpu, std::move(config), std::move(log), listener, events)) {}
Pool::~Pool() = default;
Status Pool::start(std::string agent_url) { return body_->start(std::move(agent_url)); }
Devices& Pool::devices() { return body_->devices(); }
void Pool::set_limits(const PoolConfig& config) { body_->set_limits(config); }
void Pool::set_demand(DemandOf demand) { body_->groups().set_demand(std::move(demand)); }
std::vector<GroupView> Pool::groups() const { return body_->groups().views(); }
void Pool::accept(asio::ip::tcp::socket socket, net::UpgradeRequest request, std::string peer) {
  body_->accept(std::move(socket), std::move(request), std::move(peer));
}
Status Pool::recycle(std::string_view slot, std::string reason) {
  return body_->with_slot(slot, [&](auto& found) { return found.recycle(reason); });
}
Status Pool::recycle_when_idle(std::string_view slot, std::string reason) {
  return body_->with_slot(slot, [&](auto& found) { return found.recycle_when_idle(reason); });
}
Status Pool::drain(std::string_view slot, std::string reason) {
  return body_->with_slot(slot, [&](auto& found) { return found.drain(reason), true; });
}
Status Pool::resume(std::string_view slot) {
  Device* device = body_->devices().find(slot);
  if (device != nullptr && device->view().state == SlotState::kPaused) {
    return fail(Code::kUnavailable, "the device pauses, and only its owner or its screen ends that", "slot");
  }
  return body_->with_slot(slot, [](auto& found) { return found.resume(), true; });
}
Status Pool::set_memory_limit(std::string_view slot, std::uint64_t bytes) {
  if (body_->devices().find(slot) != nullptr) {
    return fail(Code::kInvalidArgument, "what a device gives is its owner's to say", "slot");
  }
  return body_->with_slot(slot, [bytes](auto& found) {
    if constexpr (requires { found.set_memory_limit(bytes); }) {
      found.set_memory_limit(bytes);
    }
    return true;
  });
}
Status Pool::kill(std::string_view slot) {
  pid_t root = 0;
  if (Status status = body_->with_slot(slot, [&root](auto& found) { return root = found.kill_pid(), true; }); !status) {
    return status;
  }
  if (root <= 0) {
    return fail(Code::kUnavailable, fmt::format("nothing of '{}' runs on this machine now", slot), "slot");
  }
  body_->kill(root);
  return {};
}
void Pool::debug(std::string_view slot, agent::v1::DebugRequest request, AgentSession::DebugDone done) {
  AgentSession* session = nullptr;
  Status found = body_->with_slot(slot, [&](auto& with) { return session = with.session(), true; });
  if (found && session == nullptr) {
    found = fail(Code::kUnavailable, fmt::format("no browser is connected in worker slot '{}'", slot));
  }
  if (found) {
    session->debug(std::move(request), std::move(done));
  } else {
    done(fail(std::move(found.error())));
  }
}
std::deque<AgentSession::MemorySample> Pool::memory_curve(std::string_view slot) const {
  std::deque<AgentSession::MemorySample> curve;
  static_cast<void>(body_->with_slot(slot, [&](auto& found) {
    if (const AgentSession* session = found.session()) {
      curve = session->memory_curve();
    }
    return true;
  }));
  return curve;
}
std::vector<SlotView> Pool::snapshot() const { return body_->snapshot(); }
const MemoryPressure& Pool::memory() const { return body_->memory(); }
std::vector<BreakerView> Pool::breakers() const { return body_->breakers(); }
net::WebSocket::Traffic Pool::traffic() const { return body_->traffic(); }
asio::awaitable<void> Pool::close() { return body_->close(); }

}  // namespace shoal::pool
