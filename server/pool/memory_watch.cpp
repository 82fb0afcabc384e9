#include "server/pool/memory_watch.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "server/net/deadline.hpp"
#include "server/webdriver/process_tree.hpp"

namespace shoal::pool {

namespace asio = boost::asio;

namespace {

asio::awaitable<std::uint64_t> measure_tree(pid_t root) { co_return webdriver::tree_pss_bytes(root); }

}  // namespace

MemoryWatch::MemoryWatch(asio::any_io_executor executor, asio::thread_pool& cpu, const PoolConfig& config,
                         const std::vector<std::unique_ptr<Slot>>& slots, WorkerListener& listener, EventLog& events)
    : executor_(std::move(executor)),
      cpu_(cpu),
      config_(config),
      slots_(slots),
      listener_(listener),
      events_(events),
      pressure_(config.total_memory_bytes) {}

asio::awaitable<void> MemoryWatch::run() {
  asio::steady_timer timer(executor_);
  for (;;) {
    co_await measure();
    judge();
    timer.expires_after(config_.memory_interval);
    co_await net::wait(timer);
  }
}

asio::awaitable<void> MemoryWatch::measure() {
  for (const auto& slot : slots_) {
    if (const pid_t root = slot->root_pid(); root != 0) {
      // Not cancelled from the lane: it runs on another thread, for milliseconds.
      const std::uint64_t bytes = co_await asio::co_spawn(
          cpu_, measure_tree(root), asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
      if (slot->root_pid() == root) {
        slot->set_memory(bytes);
      }
    }
  }
}

void MemoryWatch::judge() {
  std::vector<BrowserMemory> browsers;
  for (const auto& slot : slots_) {
    if (slot->memory_bytes() > 0) {
      browsers.push_back({slot->spec().name, slot->memory_bytes(), slot->memory_limit()});
    }
  }
  for (MemoryPressure::Change& change : pressure_.look(browsers)) {
    for (const auto& slot : slots_) {
      if (slot->browser_name() == change.slot) {
        listener_.worker_pressed(slot->spec().name, change.is_pressed);
      }
    }
    events_.record({.slot = std::move(change.slot),
                    .to = change.is_pressed ? "pressed" : "relieved",
                    .reason = std::move(change.reason)});
  }
}

std::optional<MemoryWatch::Excess> MemoryWatch::excess(TimePoint now) {
  std::optional<std::string> reason = pressure_.excess();
  if (!reason || (replaced_at_ && now - *replaced_at_ < config_.wear.memory_grace)) {
    return std::nullopt;
  }
  Slot* largest = nullptr;
  for (const auto& slot : slots_) {
    if (slot->may_be_replaced(now) && (largest == nullptr || slot->memory_bytes() > largest->memory_bytes())) {
      largest = slot.get();
    }
  }
  if (largest == nullptr) {
    return std::nullopt;
  }
  replaced_at_ = now;
  return Excess{largest, *std::move(reason)};
}

}  // namespace shoal::pool
