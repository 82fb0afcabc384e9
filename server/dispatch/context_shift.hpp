// What is kept of a text that has outgrown its model's context, for requests that want to go on: the first tokens,
// which later ones attend to whatever they say (attention sinks; Xiao et al., "Efficient Streaming Language Models with
// Attention Sinks", 2023), and the last ones. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace shoal::dispatch {

struct ContextShift {
  std::uint32_t sinks = 4;  // tokens that stay at the beginning
};

// `ids` unchanged where they leave room for an answer in a context of so many tokens; else the sinks and as many of the
// last ones as fill half of what is left, so that the next shift is far away. Requires: context > 1.
std::vector<std::uint32_t> kept_of(std::span<const std::uint32_t> ids, std::uint32_t context,
                                   const ContextShift& shift);

}  // namespace shoal::dispatch
