// What a front end is given in tests: an EchoService, its models, and nothing else that is alive.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <utility>

#include "server/api/services.hpp"
#include "server/metrics/families.hpp"
#include "server/net/lane.hpp"
#include "tests/server/api/echo_service.hpp"

namespace shoal::api {

// All of them outlive what it returns.
inline Services echo_services(EchoService& echo, metrics::Families& families, net::Lane& lane,
                              boost::asio::thread_pool& cpu, std::function<models::SnapshotPtr()> models,
                              Limits limits = {}) {
  return {.inference = echo,
          .models = std::move(models),
          .statistics = [] { return dispatch::Statistics{}; },
          .fleet = [] { return metrics::FleetState{}; },
          .metrics = families,
          .log = Log::discard(),
          .main = lane.executor(),
          .cpu = cpu,
          .limits = limits,
          .version = "1.2.3"};
}

}  // namespace shoal::api
