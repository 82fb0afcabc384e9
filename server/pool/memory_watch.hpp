// Measures what the browsers of this machine take, every few seconds, and says who has to go for it. The shell of
// MemoryPressure. Lives on the main lane; owned by the pool.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/pool/config.hpp"
#include "server/pool/event_log.hpp"
#include "server/pool/memory_pressure.hpp"
#include "server/pool/slot.hpp"
#include "server/pool/worker.hpp"

namespace shoal::pool {

class MemoryWatch {
 public:
  // All references outlive this; /proc is read on `cpu`.
  MemoryWatch(boost::asio::any_io_executor executor, boost::asio::thread_pool& cpu, const PoolConfig& config,
              const std::vector<std::unique_ptr<Slot>>& slots, WorkerListener& listener, EventLog& events);

  // Until it is cancelled.
  boost::asio::awaitable<void> run();

  [[nodiscard]] const MemoryPressure& pressure() const { return pressure_; }

  // The largest browser, where together they take more than they may: to be replaced once it is idle. Not one that has
  // just come, and not soon after the last one: a successor takes a while to show what it needs.
  struct Excess {
    Slot* slot = nullptr;
    std::string reason;
  };
  std::optional<Excess> excess(TimePoint now);

 private:
  boost::asio::awaitable<void> measure();
  void judge();

  boost::asio::any_io_executor executor_;
  boost::asio::thread_pool& cpu_;
  const PoolConfig& config_;
  const std::vector<std::unique_ptr<Slot>>& slots_;
  WorkerListener& listener_;
  EventLog& events_;
  MemoryPressure pressure_;
  std::optional<TimePoint> replaced_at_;  // the last one, for an excess
};

}  // namespace shoal::pool
