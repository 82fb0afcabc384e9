// Which sequence has which slot, and which tokens' keys and values lie in the slots: they stay there when a sequence
// ends, and serve prompts that begin alike. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shoal::runtime {

class SlotPool {
 public:
  explicit SlotPool(std::uint32_t slots) : slots_(slots) {}

  struct Place {
    std::uint32_t slot = 0;
    std::uint32_t reused = 0;             // so many tokens of the prompt need not be read
    std::optional<std::uint32_t> source;  // they are to be copied from there first, else they lie in the slot
  };
  // Nothing when all slots are taken. The last token of a prompt is never reused: its logits are wanted. Only what was
  // read under the same key is.
  std::optional<Place> take(std::span<const std::int32_t> prompt, std::string_view key);
  // What take() would reuse.
  [[nodiscard]] std::uint32_t reusable(std::span<const std::int32_t> prompt, std::string_view key) const;

  // The tokens lie in the slot now, after those that are there. Requires: it is taken.
  void append(std::uint32_t slot, std::span<const std::int32_t> tokens);
  // Its contents stay until another sequence needs the slot: of those that are free, the one that was not used for the
  // longest time goes first.
  void give_back(std::uint32_t slot);

  [[nodiscard]] bool has_free() const;

 private:
  struct Slot {
    bool is_taken = false;
    std::string key;
    std::vector<std::int32_t> tokens;
    std::uint64_t used = 0;  // by the clock of uses
  };

  std::vector<Slot> slots_;
  std::uint64_t uses_ = 0;
};

// How many tokens both begin with.
std::uint32_t common_prefix(std::span<const std::int32_t> left, std::span<const std::int32_t> right);

}  // namespace shoal::runtime
