// Requests that kill the browsers they run in: who is seen too often with a lost one is refused for a while, instead of
// being tried on one browser after the other. Bounded: the list forgets by time, and by size whoever was seen longest
// ago. Pure: time comes in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/core/clock.hpp"
#include "server/core/tensor.hpp"

namespace shoal::schedule {

// Of a model, its version, what is asked of it and its inputs: the same request sent again has the same. SHA-256, 64
// hex digits.
using Fingerprint = std::string;
Fingerprint fingerprint_of(const std::string& model, std::int64_t version, const std::vector<Tensor>& inputs,
                           const std::vector<std::string>& outputs);

struct QuarantineLimits {
  std::uint32_t max_losses = 3;  // workers lost to one fingerprint, over all requests that have it; 0 = no quarantine
  Duration expiry = std::chrono::minutes(10);  // since the last loss
  std::size_t capacity = 256;
};

struct Suspect {
  Fingerprint fingerprint;
  std::string model;
  std::int64_t version = 0;
  std::uint64_t bytes = 0;  // of its inputs
  std::uint32_t losses = 0;
  std::uint64_t refused = 0;  // requests
  TimePoint last_loss;
  std::string reason = {};      // of the last loss
  std::string last_slot = {};   // the worker that was lost last
  std::uint64_t last_life = 0;  // which of the slot's workers it was
};

class Quarantine {
 public:
  explicit Quarantine(QuarantineLimits limits) : limits_(limits) {}

  void set_limits(QuarantineLimits limits) { limits_ = limits; }

  // A worker was lost while the request ran there, alone or beside others. True when it is quarantined now.
  bool lost(const Suspect& seen, TimePoint now);
  // The request was answered: it is none of those.
  void answered(const Fingerprint& fingerprint);
  // Why a request with this fingerprint is refused, or nothing.
  std::optional<Suspect> refuse(const Fingerprint& fingerprint, TimePoint now);

  // False when it is not on the list.
  bool clear(const Fingerprint& fingerprint) { return suspects_.erase(fingerprint) > 0; }
  std::size_t clear_all();
  // Those that are quarantined, the latest loss first.
  [[nodiscard]] std::vector<Suspect> list(TimePoint now) const;
  // False: none of the suspects is of this model and size, and no fingerprint need be made.
  [[nodiscard]] bool may_know(const std::string& model, std::int64_t version, std::uint64_t bytes) const;
  // Whether one more loss would quarantine it: it must run alone then, so that the loss is its own.
  [[nodiscard]] bool is_on_trial(const Fingerprint& fingerprint) const;
  [[nodiscard]] const QuarantineLimits& limits() const { return limits_; }

 private:
  void expire(TimePoint now);

  QuarantineLimits limits_;
  std::map<Fingerprint, Suspect> suspects_;
};

}  // namespace shoal::schedule
