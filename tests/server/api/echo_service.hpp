// Stands in for the dispatcher in tests of the front ends: answers every request with its own inputs, or holds it until
// the test says so. And models of one input per datatype, so that no file and no browser is needed.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "inference/model_config.pb.h"
#include "server/dispatch/inference.hpp"
#include "server/models/model.hpp"

namespace shoal::api {

class EchoService : public dispatch::InferenceService {
 public:
  explicit EchoService(boost::asio::io_context& lane) : lane_(lane) {}

  std::uint64_t submit(dispatch::InferenceRequest request, dispatch::Completion done) override {
    const std::uint64_t ticket = ++last_ticket_;
    last_request = request;
    open_.emplace(ticket, std::pair(std::move(request), std::move(done)));
    if (!hold) {
      boost::asio::post(lane_, [this, ticket] { answer(ticket); });
    }
    return ticket;
  }
  void cancel(std::uint64_t ticket) override {
    ++cancel_count;
    end(ticket, fail(Code::kCancelled, "cancelled"));
  }
  [[nodiscard]] Status model_ready(const models::ModelVersion&) const override { return ready; }
  [[nodiscard]] Status server_ready() const override { return ready; }

  void answer_all() {
    while (!open_.empty()) {
      answer(open_.begin()->first);
    }
  }
  [[nodiscard]] std::size_t open_count() const { return open_.size(); }

  bool hold = false;
  Status ready;
  std::optional<Error> failure;  // answered instead
  int cancel_count = 0;
  dispatch::InferenceRequest last_request;

 private:
  void answer(std::uint64_t ticket) {
    const auto found = open_.find(ticket);
    if (found == open_.end()) {
      return;
    }
    if (failure) {
      end(ticket, fail(*failure));
      return;
    }
    const dispatch::InferenceRequest& request = found->second.first;
    dispatch::InferenceResponse response;
    for (Tensor output : request.inputs) {
      output.name = "OUT";
      response.outputs.push_back(std::move(output));
    }
    response.backend = "wasm";
    response.worker = "test/0";
    response.adapter = "cpu";
    response.timing = {.queue_us = 5, .input_us = 1, .compute_us = 7, .output_us = 1, .total_us = 20};
    end(ticket, std::move(response));
  }
  void end(std::uint64_t ticket, Result<dispatch::InferenceResponse> result) {
    const auto found = open_.find(ticket);
    if (found == open_.end()) {
      return;
    }
    const auto done = std::move(found->second.second);
    open_.erase(found);
    done(std::move(result));
  }

  boost::asio::io_context& lane_;
  std::uint64_t last_ticket_ = 0;
  std::map<std::uint64_t, std::pair<dispatch::InferenceRequest, dispatch::Completion>> open_;
};

// "echo_<datatype>" for every datatype: IN to OUT, [batch, any].
inline models::SnapshotPtr echo_models() {
  auto snapshot = std::make_shared<models::Snapshot>();
  for (std::size_t index = 1; index <= kDataTypeCount; ++index) {
    const auto type = static_cast<DataType>(index);
    auto model = std::make_shared<models::ModelVersion>();
    model->name = "echo_" + std::string(datatype_name(type));
    model->version = 1;
    model->platform = "onnxruntime_onnx";
    model->inputs = {{"IN", type, {-1, -1}, {"batch", ""}, true}};
    model->outputs = {{"OUT", type, {-1, -1}, {"batch", ""}, true}};
    model->max_batch_size = 4;
    model->backends = {Backend::kWasm};
    auto config = std::make_shared<inference::ModelConfig>();
    config->set_name(model->name);
    config->set_max_batch_size(4);
    auto& input = *config->add_input();
    input.set_name("IN");
    input.add_dims(-1);
    model->config = config;
    model->state = models::ModelState::kReady;
    snapshot->models[model->name][1] = model;
  }
  auto broken = std::make_shared<models::ModelVersion>();
  broken->name = "broken";
  broken->version = 1;
  broken->config = std::make_shared<inference::ModelConfig>();
  broken->load_error = {Code::kInvalidArgument, "the graph is garbage", {}};
  snapshot->models["broken"][1] = broken;
  return snapshot;
}

}  // namespace shoal::api
