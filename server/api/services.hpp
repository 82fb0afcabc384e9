// What every protocol front end works with. Made by the app, which owns all it refers to and outlives the front ends.
// Main lane, except where a member says otherwise.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "server/core/log.hpp"
#include "server/dispatch/inference.hpp"
#include "server/dispatch/statistics.hpp"
#include "server/metrics/families.hpp"
#include "server/models/model.hpp"

namespace shoal::api {

// Every bound of the front ends.
struct Limits {
  std::size_t infer_body_bytes = std::size_t{64} << 20;       // KServe infer; also each gRPC message
  std::size_t embeddings_body_bytes = std::size_t{16} << 20;  // /v1/embeddings
  std::size_t control_body_bytes = std::size_t{64} << 10;     // every other route
  std::size_t held_bytes = std::size_t{1} << 30;              // bodies and messages of all requests together
  std::size_t header_bytes = std::size_t{16} << 10;
  std::size_t body_chunks = 65536;
  std::size_t connections = 1024;
  std::chrono::seconds header_timeout{10};
  std::chrono::seconds body_timeout{60};
  std::chrono::seconds write_timeout{60};
  std::chrono::seconds idle_timeout{75};
  std::chrono::milliseconds stream_silence{15'000};        // then a stream of events gets a comment; 0: never
  std::size_t json_offload_bytes = std::size_t{64} << 10;  // larger JSON is read and written on the CPU pool
  std::size_t text_offload_bytes = std::size_t{4} << 10;   // larger texts are tokenised on the CPU pool
  std::size_t embedding_inputs = 2048;                     // texts in one /v1/embeddings request
};

struct Services {
  dispatch::InferenceService& inference;
  std::function<models::SnapshotPtr()> models;  // never null
  std::function<dispatch::Statistics()> statistics;
  std::function<metrics::FleetState()> fleet;  // workers and their memory, for /metrics
  metrics::Families& metrics;
  Log log;
  boost::asio::any_io_executor main;
  boost::asio::thread_pool& cpu;
  Limits limits;
  std::string version;  // of the server, as metadata says it
};

}  // namespace shoal::api
