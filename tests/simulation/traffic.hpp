// What arrives when: drawn, or read from a file of JSON lines.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "server/core/clock.hpp"

namespace shoal::simulation {

struct Arrival {
  double at = 0;  // seconds since the start
  std::uint32_t model = 0;
  std::uint32_t priority = 2;
  std::uint32_t rows = 1;
  std::uint32_t length = 0;
  double timeout = 30;  // seconds
};

class Traffic {
 public:
  virtual ~Traffic() = default;
  virtual std::optional<Arrival> next() = 0;
};

// Poisson arrivals: a tenth is urgent, a fifth can wait; lengths are those of sentences, most of them short.
class DrawnTraffic final : public Traffic {
 public:
  DrawnTraffic(std::uint64_t requests, double per_second, std::uint32_t models, double timeout, std::uint64_t seed)
      : random_(seed), left_(requests), gap_(per_second), models_(models), timeout_(timeout) {}
  std::optional<Arrival> next() override;

 private:
  std::mt19937_64 random_;
  std::uint64_t left_;
  std::exponential_distribution<double> gap_;
  std::uint32_t models_;
  double timeout_;
  double now_ = 0;
};

// {"at": seconds, "model": number, "priority": 1, "rows": 1, "length": 20, "timeout": seconds}; all but "at" may be
// left out. Throws std::runtime_error with the line's number.
class RecordedTraffic final : public Traffic {
 public:
  RecordedTraffic(std::istream& lines, std::uint32_t models) : lines_(lines), models_(models) {}
  std::optional<Arrival> next() override;

 private:
  std::istream& lines_;
  std::uint32_t models_;
  std::uint64_t number_ = 0;
  double last_ = 0;
};

}  // namespace shoal::simulation
