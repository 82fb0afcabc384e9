// A request's place in a sequence: requests of one client that a stateful model sees in order, by one worker (Triton's
// sequence extension).
#pragma once

#include <cstdint>
#include <string>

namespace shoal {

struct SequenceStep {
  std::string id;  // the client's correlation id: its string, or its number in decimal digits; empty where it gave none
  bool is_first = false;
  bool is_last = false;
  std::uint64_t number = 0;  // of the sequence in this server's life: an id that is used again has another one
};

}  // namespace shoal
