// Stands where the dispatcher stands, for tests of what is before it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "server/dispatch/inference.hpp"

namespace shoal::dispatch {

// Records what it is told; the test answers in its place. Tickets count from 1.
class ScriptedService final : public InferenceService {
 public:
  std::uint64_t submit(InferenceRequest request, Completion done) override {
    requests.emplace_back(std::move(request), std::move(done));
    return requests.size();
  }
  void cancel(std::uint64_t ticket) override { cancelled.push_back(ticket); }
  void finish(std::uint64_t ticket) override { finished.push_back(ticket); }
  // Of the last request alone, one after the other.
  void mask(std::uint64_t ticket, std::uint32_t position, std::string allowed) override {
    EXPECT_EQ(ticket, requests.size());
    EXPECT_EQ(position, masks.size());
    masks.push_back(std::move(allowed));
  }
  [[nodiscard]] Status model_ready(const models::ModelVersion&) const override { return {}; }
  [[nodiscard]] Status server_ready() const override { return fail(Code::kUnavailable, "not yet"); }

  void answer(std::size_t index, const std::string& worker) {
    InferenceResponse response;
    response.worker = worker;
    requests.at(index).second(std::move(response));
  }

  std::vector<std::pair<InferenceRequest, Completion>> requests;
  std::vector<std::uint64_t> cancelled;
  std::vector<std::uint64_t> finished;
  std::vector<std::string> masks;
};

}  // namespace shoal::dispatch
