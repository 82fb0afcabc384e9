// Which results of untrusted workers are computed again on a trusted one, and whether two results are the same. Pure.
// Every result of a newcomer is, up to a number; after that one in each row of 1 / share, at a place that nobody can
// know before: a worker that always lies is caught within two such rows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <string>

#include "server/core/tensor.hpp"

namespace shoal::dispatch {

struct SpotCheckOptions {
  double share = 0.05;       // of an untrusted worker's results; 0 = only the first ones
  std::uint32_t first = 10;  // results of a worker that has just come, all of which are checked
};

class SpotCheck {
 public:
  // `seed` is random: who knows it knows when to tell the truth.
  SpotCheck(SpotCheckOptions options, std::uint64_t seed) : options_(options), random_(seed) {}

  // A row that has begun keeps its length.
  void set_options(SpotCheckOptions options) { options_ = options; }

  // One more result of `worker`: whether it is to be checked.
  bool draws(const std::string& worker);
  // It has gone; when it comes back it is new again.
  void forget(const std::string& worker) { workers_.erase(worker); }

 private:
  struct Worker {
    std::uint64_t results = 0;
    std::uint64_t place = 0;  // in the present row
  };
  SpotCheckOptions options_;
  std::mt19937_64 random_;
  std::map<std::string, Worker> workers_;
};

// How `theirs` differs from `ours`, in words; nothing when it does not, within what backends may differ by: two
// hundredths of a tensor's largest magnitude for floats of 32 and 64 bits, five for those of 16, one for integers of 8
// (quantised graphs round at the edge), nothing for all others.
std::optional<std::string> difference(std::span<const Tensor> ours, std::span<const Tensor> theirs);

}  // namespace shoal::dispatch
