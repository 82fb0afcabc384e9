#include "server/schedule/load_times.hpp"

namespace shoal::schedule {
namespace {

constexpr std::size_t kMaxGraphs = 1024;

}  // namespace

void LoadTimes::add(const std::string& instance, std::uint64_t bytes, Duration time) {
  if (own_.size() >= kMaxGraphs && !own_.contains(instance)) {
    own_.erase(own_.begin());
  }
  // The first one fetches and compiles, later ones find caches.
  const auto [own, is_first] = own_.try_emplace(instance, time);
  own->second = is_first ? time : (own->second + time) / 2;
  by_size_.add(static_cast<double>(bytes), time);
}

std::optional<Duration> LoadTimes::expected(const std::string& instance, std::uint64_t bytes) const {
  const auto own = own_.find(instance);
  return own != own_.end() ? std::optional(own->second) : by_size_.expected(static_cast<double>(bytes));
}

}  // namespace shoal::schedule
