// A dispatcher with one model and one browser's slot, on an io_context that the test turns.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <utility>

#include "server/dispatch/dispatcher.hpp"
#include "server/metrics/families.hpp"
#include "tests/server/dispatch/scripted_worker.hpp"
#include "tests/server/dispatch/test_model.hpp"

namespace shoal::dispatch {

class DispatcherFixture : public testing::Test {
 protected:
  explicit DispatcherFixture(DispatcherOptions options = {})
      : dispatcher(context.get_executor(), std::move(options), metrics, Log::discard()) {
    dispatcher.slot_configured("hs/0", {Backend::kWasm});
    auto snapshot = std::make_shared<models::Snapshot>();
    snapshot->models["m"][1] = model;
    dispatcher.set_models(snapshot);
  }
  void settle() {
    context.restart();
    context.poll();
  }
  [[nodiscard]] InferenceRequest request(Demand demand) const {
    return {.request_id = "r",
            .model = model,
            .inputs = {test_input(2, 3)},
            .outputs = {},
            .pooling = {},
            .demand = std::move(demand),
            .received = Clock::now()};
  }

  boost::asio::io_context context;
  metrics::Families metrics;
  std::shared_ptr<models::ModelVersion> model = test_model({Backend::kWasm});
  Dispatcher dispatcher;
};

}  // namespace shoal::dispatch
