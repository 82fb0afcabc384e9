#include "engine/runtime/slot_pool.hpp"

#include <algorithm>

namespace shoal::runtime {

std::uint32_t common_prefix(std::span<const std::int32_t> left, std::span<const std::int32_t> right) {
  return static_cast<std::uint32_t>(std::ranges::mismatch(left, right).in1 - left.begin());
}

std::uint32_t SlotPool::reusable(std::span<const std::int32_t> prompt, std::string_view key) const {
  std::uint32_t most = 0;
  for (const Slot& slot : slots_) {
    if (slot.key == key && !prompt.empty()) {
      most = std::max(most, common_prefix(slot.tokens, prompt.first(prompt.size() - 1)));
    }
  }
  return most;
}

std::optional<SlotPool::Place> SlotPool::take(std::span<const std::int32_t> prompt, std::string_view key) {
  if (!has_free()) {
    return std::nullopt;
  }
  ++uses_;
  Slot* best = nullptr;
  std::uint32_t reused = 0;
  for (Slot& slot : slots_) {
    const std::uint32_t common =
        slot.key == key && !prompt.empty() ? common_prefix(slot.tokens, prompt.first(prompt.size() - 1)) : 0;
    if (common > reused) {
      reused = common;
      best = &slot;
    }
  }
  if (best != nullptr) {
    best->used = uses_;
  }
  Slot* slot = best;
  // What goes on as it is needs no other slot; anything else keeps what it begins like, where there is room.
  if (best == nullptr || best->is_taken || reused < best->tokens.size()) {
    slot = &*std::ranges::min_element(
        slots_, {}, [](const Slot& one) { return std::pair(one.is_taken, one.tokens.empty() ? 0 : one.used); });
  }
  Place place{.slot = static_cast<std::uint32_t>(slot - slots_.data()), .reused = reused, .source = {}};
  if (best != nullptr && best != slot) {
    place.source = static_cast<std::uint32_t>(best - slots_.data());
    slot->tokens.assign(best->tokens.begin(), best->tokens.begin() + reused);
  } else {
    slot->tokens.resize(reused);
  }
  slot->key = key;
  slot->is_taken = true;
  slot->used = uses_;
  return place;
}

void SlotPool::append(std::uint32_t slot, std::span<const std::int32_t> tokens) {
  slots_[slot].tokens.insert(slots_[slot].tokens.end(), tokens.begin(), tokens.end());
}

void SlotPool::give_back(std::uint32_t slot) {
  slots_[slot].is_taken = false;
  slots_[slot].used = ++uses_;
}

bool SlotPool::has_free() const {
  return std::ranges::any_of(slots_, [](const Slot& slot) { return !slot.is_taken; });
}

}  // namespace shoal::runtime
