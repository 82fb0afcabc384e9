#include "server/dispatch/warm_runs.hpp"

#include "server/models/warm_samples.hpp"

namespace shoal::dispatch {

std::vector<WarmRun> warm_runs_of(const Way& way) {
  std::vector<WarmRun> runs;
  if (way.warm_samples == nullptr) {
    return runs;
  }
  const models::WarmSamples& warm = *way.warm_samples;
  for (const models::WarmSample& sample : warm.samples) {
    std::vector<Tensor> inputs = sample.inputs;
    if (!way.built.empty()) {
      const auto built = schedule::bucket_of(warm.buckets, dimensions_of(warm.inputs, inputs));
      if (!built || *built != way.built) {
        continue;
      }
      inputs = padded_inputs(warm.inputs, inputs, way.built);
    }
    runs.push_back({.sample = sample.name,
                    .inputs = std::make_shared<const std::vector<Tensor>>(std::move(inputs)),
                    .times = sample.runs,
                    .is_decoupled = warm.is_decoupled});
  }
  return runs;
}

}  // namespace shoal::dispatch
