// How long graphs take to load on one engine, learnt from the loads that were seen. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "server/schedule/cost.hpp"

namespace shoal::schedule {

class LoadTimes {
 public:
  // A graph with weights of so many bytes took `time`: from the word to load it until it was there.
  void add(const std::string& instance, std::uint64_t bytes, Duration time);
  // Of the graph, by its own loads of late; of one that was never loaded here, by its bytes; nothing before any load.
  [[nodiscard]] std::optional<Duration> expected(const std::string& instance, std::uint64_t bytes) const;

 private:
  std::map<std::string, Duration> own_;
  Cost by_size_;  // a unit is a byte
};

}  // namespace shoal::schedule
