#include "server/pool/memory_pressure.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace shoal::pool {

namespace {

constexpr std::uint64_t kMiB = 1U << 20;

}  // namespace

std::vector<MemoryPressure::Change> MemoryPressure::look(std::span<const BrowserMemory> browsers) {
  std::vector<Change> changes;
  // Who has gone is pressed no more, and nobody needs to be told.
  std::erase_if(pressed_, [&](const std::string& name) {
    return name != kTogether && std::ranges::find(browsers, name, &BrowserMemory::slot) == browsers.end();
  });
  total_bytes_ = 0;
  for (const BrowserMemory& browser : browsers) {
    total_bytes_ += browser.bytes;
    judge(browser.slot, browser.bytes, browser.limit, changes);
  }
  judge(kTogether, total_bytes_, total_limit_, changes);
  return changes;
}

void MemoryPressure::judge(const std::string& slot, std::uint64_t bytes, std::uint64_t limit,
                           std::vector<Change>& changes) {
  const bool was_pressed = pressed_.contains(slot);
  const double share = limit == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(limit);
  const bool is_pressed = share >= (was_pressed ? kRelieved : kPressed);
  if (is_pressed == was_pressed) {
    return;
  }
  if (is_pressed) {
    pressed_.insert(slot);
  } else {
    pressed_.erase(slot);
  }
  changes.push_back(
      {slot, is_pressed,
       fmt::format("{} take {} MiB, {:.0f} % of what they may",
                   slot == kTogether ? "the browsers of this machine" : "its processes", bytes / kMiB, share * 100)});
}

std::optional<std::string> MemoryPressure::excess() const {
  if (total_limit_ == 0 || total_bytes_ < total_limit_) {
    return std::nullopt;
  }
  return fmt::format("worn: it takes most of the {} MiB of all browsers, the limit is {} MiB", total_bytes_ / kMiB,
                     total_limit_ / kMiB);
}

}  // namespace shoal::pool
