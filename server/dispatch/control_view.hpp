// What clients ask of the models that are served, and what the repository's index says of changes. Values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace shoal::dispatch {

struct LoadRequest {
  std::string model;
  std::optional<std::string> config;  // JSON in place of config.pbtxt, until the next load
};

struct ControlView {
  std::string loading;                                          // a model; empty = none
  std::vector<std::pair<std::string, std::int64_t>> unloading;  // name and version, of those that requests still run on
};

}  // namespace shoal::dispatch
