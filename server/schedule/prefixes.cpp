#include "server/schedule/prefixes.hpp"

#include <algorithm>
#include <functional>

namespace shoal::schedule {
namespace {

// What a worker's slots hold is not known here: old ones are forgotten, and a wrong guess costs reading a prompt.
constexpr std::size_t kMaxKnown = 2048;

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  constexpr std::uint64_t kPrime = 0x100000001b3;  // FNV-1a, by words
  hash = (hash ^ value) * kPrime;
  return hash ^ (hash >> 32U);
}

}  // namespace

std::vector<std::uint64_t> prefix_blocks(std::span<const std::int32_t> tokens, std::string_view key) {
  std::vector<std::uint64_t> blocks;
  std::uint64_t hash = std::hash<std::string_view>()(key);
  for (std::size_t end = kPrefixBlock; end <= tokens.size() && blocks.size() < kMaxBlocks; end += kPrefixBlock) {
    for (const std::int32_t token : tokens.subspan(end - kPrefixBlock, kPrefixBlock)) {
      hash = mixed(hash, static_cast<std::uint32_t>(token));
    }
    blocks.push_back(hash);
  }
  return blocks;
}

void Prefixes::add(std::span<const std::uint64_t> blocks) {
  for (const std::uint64_t block : blocks) {
    if (known_.insert(block).second) {
      order_.push_back(block);
    }
  }
  for (; order_.size() > kMaxKnown; order_.pop_front()) {
    known_.erase(order_.front());
  }
}

std::size_t Prefixes::matching(std::span<const std::uint64_t> blocks) const {
  const auto unknown = std::ranges::find_if(blocks, [&](std::uint64_t block) { return !known_.contains(block); });
  return static_cast<std::size_t>(unknown - blocks.begin());
}

}  // namespace shoal::schedule
