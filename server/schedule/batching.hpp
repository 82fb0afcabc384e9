// Which of the waiting jobs are sent as one run. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "server/schedule/cost.hpp"
#include "server/schedule/job.hpp"
#include "server/schedule/queue.hpp"

namespace shoal::schedule {

struct Waiting {
  const Job* job = nullptr;
  TimePoint since;
};

struct BatchBounds {
  std::uint32_t max_rows = 0;  // of a graph built for so many: it takes the same time whatever is in it; 0 = any number
  const Cost* cost = nullptr;  // of that graph on that engine; null: nothing is known
  Duration max_time{};         // 0 = no limit
};

struct Batch {
  std::vector<JobId> members;  // in the order of service
  std::uint32_t rows = 0;
  double units = 0;  // of work: see units_of
  // Not yet: others may join it until then.
  std::optional<TimePoint> held_until;
};

// The graph of `candidate` and its larger ones that costs least for each of `rows` waiting rows, among those that
// `cost_of` calls loaded. Of one that has not run yet it is expected that its rows cost what those of `candidate` do.
struct Loaded {
  bool is_ready = false;
  const Cost* cost = nullptr;
};
const Candidate& best_size(const Candidate& candidate, std::uint32_t rows, Duration max_time,
                           const std::function<Loaded(const Candidate&)>& loaded);

// The first of `group` and those behind it that join it, in order, as long as
//   - rows keep to the model's limit and to the graph's; of preferred sizes the largest that is reached is taken,
//   - the expected time keeps to the bound, and no member's deadline is passed by it that would have been kept alone,
//   - padding costs less than what is saved by one run less.
// Requires: `group` is not empty; all of it has the same batch_key.
Batch form_batch(const Queue::Group& group, const std::function<Waiting(JobId)>& waiting, const BatchBounds& bounds,
                 TimePoint now);

}  // namespace shoal::schedule
