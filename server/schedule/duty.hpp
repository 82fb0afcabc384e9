// What a worker slot is for at the moment. The pool decides it, the scheduler keeps to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace shoal::schedule {

enum class Duty : std::uint8_t {
  kServing,  // it has a browser, and is given work
  kSpare,    // it has a browser with graphs loaded, and is given nothing
  kDormant,  // it has no browser, or loses the one that it has once that is idle; jobs may wait for it to be woken
};

// The jobs that wait for some slots: how many for any of them, and the slots that others ask for by name.
struct Backlog {
  std::size_t queued = 0;
  std::vector<std::string> named_slots = {};
};

}  // namespace shoal::schedule
