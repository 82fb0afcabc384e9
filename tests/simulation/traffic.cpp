#include "tests/simulation/traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace shoal::simulation {

std::optional<Arrival> DrawnTraffic::next() {
  if (left_ == 0) {
    return std::nullopt;
  }
  --left_;
  now_ += gap_(random_);
  const auto dice = std::uniform_int_distribution<int>(0, 9)(random_);
  std::lognormal_distribution<double> length(3.0, 0.7);
  return Arrival{.at = now_,
                 .model = std::uniform_int_distribution<std::uint32_t>(0, models_ - 1)(random_),
                 .priority = dice == 0  ? 1U
                             : dice > 7 ? 3U
                                        : 2U,
                 .length = static_cast<std::uint32_t>(std::clamp(std::lround(length(random_)), 4L, 256L)),
                 .timeout = timeout_};
}

std::optional<Arrival> RecordedTraffic::next() {
  std::string line;
  if (!std::getline(lines_, line)) {
    return std::nullopt;
  }
  ++number_;
  try {
    const auto entry = nlohmann::json::parse(line);
    Arrival arrival{.at = entry.at("at").get<double>()};
    arrival.model = entry.value("model", 0U) % models_;
    arrival.priority = entry.value("priority", arrival.priority);
    arrival.rows = entry.value("rows", arrival.rows);
    arrival.length = entry.value("length", arrival.length);
    arrival.timeout = entry.value("timeout", arrival.timeout);
    const bool is_fine = arrival.at >= last_ && arrival.priority >= 1 && arrival.priority <= 1024 &&
                         arrival.rows >= 1 && arrival.timeout > 0 && arrival.timeout < 1e6 && arrival.at < 1e8;
    if (!is_fine) {
      throw std::runtime_error("a value is out of range, or \"at\" goes back");
    }
    last_ = arrival.at;
    return arrival;
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("line {}: {}", number_, error.what()));
  }
}

}  // namespace shoal::simulation
