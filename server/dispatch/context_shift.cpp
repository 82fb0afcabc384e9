#include "server/dispatch/context_shift.hpp"

#include <algorithm>
#include <cstddef>

namespace shoal::dispatch {

std::vector<std::uint32_t> kept_of(std::span<const std::uint32_t> ids, std::uint32_t context,
                                   const ContextShift& shift) {
  if (ids.size() < context) {
    return {ids.begin(), ids.end()};
  }
  // The last one always stays: it is what the next one follows.
  const std::size_t sinks = std::min<std::size_t>(shift.sinks, context - 2);
  const std::size_t last = std::max<std::size_t>((context - sinks) / 2, 1);
  std::vector<std::uint32_t> out(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(sinks));
  out.insert(out.end(), ids.end() - static_cast<std::ptrdiff_t>(last), ids.end());
  return out;
}

}  // namespace shoal::dispatch
