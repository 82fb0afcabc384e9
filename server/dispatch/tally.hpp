// Keeps the per-model statistics. Main lane.
#pragma once

#include "engine/core/result.hpp"
#include "server/dispatch/inference.hpp"
#include "server/dispatch/statistics.hpp"

namespace shoal::dispatch {

class Tally {
 public:
  using Key = Statistics::key_type;

  // Of a model's version, in zeros before its first request; there for as long as this is.
  ModelStatistics& of(const Key& key) { return statistics_[key]; }

  static void accepted(ModelStatistics& model) { ++model.pending; }
  // Sent to a browser, or answered while it was still queued.
  static void left_queue(ModelStatistics& model) { --model.pending; }
  static void requeued(ModelStatistics& model) { ++model.pending; }
  static void executed(ModelStatistics& model) { ++model.execution_count; }
  // A run of `rows`, of one request or several, has ended well.
  static void ran(ModelStatistics& model, std::uint64_t rows, const Timing& timing);
  static void succeeded(ModelStatistics& model, std::uint64_t batch_size, const Timing& timing);
  static void failed(ModelStatistics& model, Code code, std::uint64_t total_us);

  [[nodiscard]] const Statistics& statistics() const { return statistics_; }

 private:
  Statistics statistics_;
};

}  // namespace shoal::dispatch
