// Keeps the per-model statistics. Main lane.
#pragma once

#include "engine/core/result.hpp"
#include "server/dispatch/inference.hpp"
#include "server/dispatch/statistics.hpp"

namespace shoal::dispatch {

class Tally {
 public:
  using Key = Statistics::key_type;

  void accepted(const Key& key) { ++statistics_[key].pending; }
  // Sent to a browser, or answered while it was still queued.
  void left_queue(const Key& key) { --statistics_[key].pending; }
  void requeued(const Key& key) { ++statistics_[key].pending; }
  void executed(const Key& key) { ++statistics_[key].execution_count; }
  // A run of `rows`, of one request or several, has ended well.
  void ran(const Key& key, std::uint64_t rows, const Timing& timing);
  void succeeded(const Key& key, std::uint64_t batch_size, const Timing& timing);
  void failed(const Key& key, Code code, std::uint64_t total_us);

  [[nodiscard]] const Statistics& statistics() const { return statistics_; }
  // A model of the repository appears with zeros before its first request.
  void declare(const Key& key) { statistics_[key]; }

 private:
  Statistics statistics_;
};

}  // namespace shoal::dispatch
