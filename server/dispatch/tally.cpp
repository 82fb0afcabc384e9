#include "server/dispatch/tally.hpp"

#include <chrono>

#include "server/core/error_table.hpp"

namespace shoal::dispatch {

void Tally::succeeded(ModelStatistics& model, std::uint64_t batch_size, const Timing& timing) {
  model.last_inference_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
  model.inference_count += batch_size;
  model.success.add(timing.total_us);
  model.queue.add(timing.queue_us);
  model.compute_input.add(timing.input_us);
  model.compute_infer.add(timing.compute_us);
  model.compute_output.add(timing.output_us);
}

void Tally::ran(ModelStatistics& model, std::uint64_t rows, const Timing& timing) {
  ModelStatistics::Batch& batch = model.batches[rows];
  batch.compute_input.add(timing.input_us);
  batch.compute_infer.add(timing.compute_us);
  batch.compute_output.add(timing.output_us);
}

void Tally::failed(ModelStatistics& model, Code code, std::uint64_t total_us) {
  model.fail.add(total_us);
  ++model.failures[std::string(error_row(code).label)];
}

}  // namespace shoal::dispatch
