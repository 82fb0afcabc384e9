// A closed loop of requests with one FP32 tensor: each of so many clients sends the next when its answer is there and
// right.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/bench/frontend/tally.hpp"

namespace shoal::bench {

// Of one request; a server that is silent for longer has failed.
inline constexpr std::chrono::seconds kAnswerTimeout{30};

struct Load {
  std::string host;
  std::string port;
  std::string model;
  std::string input;
  std::vector<float> values;  // the tensor, of one dimension
  std::size_t concurrency = 1;
};

// Both return when the tally is over and no request is open. A client whose request fails sends no more.
void load_grpc(const Load& load, Tally& tally);  // one connection, one thread
// One connection a client, one thread. `is_binary`: the tensor's bytes behind the JSON, in both directions.
void load_http(const Load& load, bool is_binary, Tally& tally);

}  // namespace shoal::bench
