// Which beginnings of prompts a worker has read for one model, as far as the scheduler knows: what it has been sent.
// Later prompts that begin alike are read faster there. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <span>
#include <string_view>
#include <vector>

namespace shoal::schedule {

// Tokens of a block: prefixes are told apart by whole ones.
inline constexpr std::size_t kPrefixBlock = 32;

// A number for each block of a prompt that stands for all that is before it as well, and for the key; the last block is
// left out when it is not full. Not more than kMaxBlocks of them.
inline constexpr std::size_t kMaxBlocks = 256;
std::vector<std::uint64_t> prefix_blocks(std::span<const std::int32_t> tokens, std::string_view key);

class Prefixes {
 public:
  void add(std::span<const std::uint64_t> blocks);
  // How many of the first blocks are here.
  [[nodiscard]] std::size_t matching(std::span<const std::uint64_t> blocks) const;

 private:
  std::set<std::uint64_t> known_;
  std::deque<std::uint64_t> order_;  // of known_, the oldest first
};

}  // namespace shoal::schedule
