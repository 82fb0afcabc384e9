// A model of one input "x" [batch, length] and one output "y" [batch, length, 2], for tests of the dispatcher.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "inference/model_config.pb.h"
#include "server/models/model.hpp"

namespace shoal::dispatch {

inline std::shared_ptr<models::ModelVersion> test_model(std::vector<Backend> backends, const std::string& name = "m") {
  auto model = std::make_shared<models::ModelVersion>();
  model->name = name;
  model->version = 1;
  model->inputs = {{"x", DataType::kFp32, {-1, -1}, {"batch", "length"}, true}};
  model->outputs = {{"y", DataType::kFp32, {-1, -1, 2}, {"batch", "length", ""}, true}};
  model->max_batch_size = 8;
  model->graph = {std::string(64, 'a'), "/model.onnx", 10};
  model->backends = std::move(backends);
  model->webnn_buckets = {{"batch", {1, 4}}, {"length", {4, 16}}};
  model->config = std::make_shared<inference::ModelConfig>();
  model->state = models::ModelState::kReady;
  return model;
}

inline Tensor test_input(std::int64_t batch, std::int64_t length) {
  return {"x", DataType::kFp32, {batch, length}, std::string(static_cast<std::size_t>(batch * length) * 4, 'z')};
}

}  // namespace shoal::dispatch
