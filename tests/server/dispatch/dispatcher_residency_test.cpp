// Which graphs the dispatcher loads by itself, where, and for how long they stay.
#include <gtest/gtest.h>

#include "tests/server/dispatch/dispatcher_fixture.hpp"

namespace shoal::dispatch {
namespace {

DispatcherOptions one_graph() {
  DispatcherOptions options;
  options.limits.max_instances = 1;
  return options;
}

class DispatcherResidencyTest : public DispatcherFixture {
 protected:
  DispatcherResidencyTest() : DispatcherFixture(one_graph()) { dispatcher.slot_configured("hs/1", {Backend::kWasm}); }
  void serve(const std::vector<std::shared_ptr<models::ModelVersion>>& models) {
    auto snapshot = std::make_shared<models::Snapshot>();
    for (const auto& one : models) {
      snapshot->models[one->name][1] = one;
    }
    dispatcher.set_models(snapshot);
  }
  static std::string model_of(const ScriptedWorker& worker, std::size_t load) {
    const std::string& instance = worker.loads.at(load).first.instance;
    return instance.substr(0, instance.find(':'));
  }
  void ask(const std::shared_ptr<models::ModelVersion>& one) {
    InferenceRequest made = request({});
    made.model = one;
    dispatcher.submit(std::move(made), [](const Result<InferenceResponse>&) {});
    settle();
  }
  void end_load(ScriptedWorker& worker, std::size_t load) {
    worker.loads.at(load).second(pool::LoadOutcome{});
    settle();
  }

  std::shared_ptr<models::ModelVersion> other = test_model({Backend::kWasm}, "n");
  ScriptedWorker first{"hs/0", {Backend::kWasm}};
  ScriptedWorker second{"hs/1", {Backend::kWasm}};
};

TEST_F(DispatcherResidencyTest, ANewWorkerLoadsWhatIsAskedForOfLate) {
  serve({model, other});
  dispatcher.worker_ready(first);
  EXPECT_EQ(model_of(first, 0), "m") << "nobody has asked for anything: by name";
  ask(other);
  ask(other);
  dispatcher.worker_ready(second);
  EXPECT_EQ(model_of(second, 0), "n");
}

TEST_F(DispatcherResidencyTest, NoMoreWorkersThanTheModelMayHave) {
  model->residency.max_workers = 1;
  serve({model, other});
  dispatcher.worker_ready(first);
  dispatcher.worker_ready(second);
  EXPECT_EQ(model_of(first, 0), "m");
  EXPECT_EQ(model_of(second, 0), "n");
  dispatcher.worker_lost("hs/0", "gone");
  ScriptedWorker next("hs/0", {Backend::kWasm});
  dispatcher.worker_ready(next);
  EXPECT_EQ(model_of(next, 0), "m") << "nobody has it now";
}

TEST_F(DispatcherResidencyTest, WhatIsKeptTakesTheRoomOfIdleGraphs) {
  serve({model});
  dispatcher.worker_ready(first);
  end_load(first, 0);
  other->residency.min_resident = 1;
  serve({model, other});
  ASSERT_EQ(first.loads.size(), 2U);
  EXPECT_EQ(model_of(first, 1), "n");
  EXPECT_EQ(first.unloaded, std::vector<std::string>{first.loads[0].first.instance});
  end_load(first, 1);
  ask(model);
  EXPECT_EQ(first.loads.size(), 2U) << "its only place is taken for good";
  dispatcher.worker_ready(second);
  EXPECT_EQ(second.loads.size(), 1U);
  EXPECT_EQ(model_of(second, 0), "m") << "one worker keeps the other model, that is enough";
}

TEST_F(DispatcherResidencyTest, APinnedModelThatDoesNotFitIsATypedErrorAtOnce) {
  for (const char* slot : {"hs/0", "hs/1"}) {
    dispatcher.set_budget(slot, 15);
  }
  model->residency.is_pinned = true;
  other->residency.is_pinned = true;
  serve({model});
  EXPECT_EQ(dispatcher.model_ready(*other).error().code, Code::kResourceLimit) << "10 and 10 bytes";
  serve({model, other});
  Result<InferenceResponse> answer = fail(Code::kInternal, "none yet");
  InferenceRequest made = request({});
  made.model = other;
  dispatcher.submit(std::move(made), [&](Result<InferenceResponse> result) { answer = std::move(result); });
  settle();
  EXPECT_EQ(answer.error().code, Code::kResourceLimit);
  EXPECT_EQ(answer.error().param, "shoal_pinned");
}

TEST_F(DispatcherResidencyTest, APreferenceIsMetAsFarAsItGoesAndToldSo) {
  model->backends = {Backend::kWasm, Backend::kWebgpu};
  serve({model});
  dispatcher.worker_ready(first);
  end_load(first, 0);
  Demand demand;
  demand.preference = {Backend::kWebnn, Backend::kWebgpu, Backend::kWasm};
  Result<InferenceResponse> answer = fail(Code::kInternal, "none yet");
  dispatcher.submit(request(demand), [&](Result<InferenceResponse> result) { answer = std::move(result); });
  ASSERT_EQ(first.runs.size(), 1U);
  first.runs[0].second(pool::RunOutcome{.outputs = {{"y", DataType::kFp32, {2, 3, 2}, std::string(48, 'o')}}});
  settle();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->backend, "wasm");
  EXPECT_EQ(answer->fallback_from, "webnn,webgpu");
}

class WithAdapter final : public ScriptedWorker {
 public:
  WithAdapter(const std::string& slot, bool has_hardware) : ScriptedWorker(slot, {Backend::kWasm, Backend::kWebgpu}) {
    state_.traits = {.browser = schedule::BrowserEngine::kChromium,
                     .has_hardware = has_hardware,
                     .gflops = {{Backend::kWasm, 25}, {Backend::kWebgpu, has_hardware ? 900 : 0.03}}};
  }
};

TEST_F(DispatcherResidencyTest, AGuessFollowsTheProbeAndASoftwareAdapterIsNoReason) {
  model->backends = {Backend::kWasm, Backend::kWebgpu};
  model->family = Family::kVision;
  serve({model});
  WithAdapter software("hs/0", false);
  dispatcher.worker_ready(software);
  EXPECT_EQ(software.loads.at(0).first.backend, Backend::kWasm);
  WithAdapter hardware("hs/1", true);
  dispatcher.worker_ready(hardware);
  EXPECT_EQ(hardware.loads.at(0).first.backend, Backend::kWebgpu);
}

TEST_F(DispatcherResidencyTest, ARequestCanSayByWhichFamilyItsBackendIsGuessed) {
  model->backends = {Backend::kWasm, Backend::kWebgpu};
  serve({model});
  WithAdapter hardware("hs/0", true);
  dispatcher.worker_ready(hardware);
  ASSERT_EQ(hardware.loads.at(0).first.backend, Backend::kWasm) << "nobody knows the model's family";
  end_load(hardware, 0);
  Demand demand;
  demand.family = Family::kAudio;
  dispatcher.submit(request(demand), [](const Result<InferenceResponse>&) {});
  settle();
  ASSERT_EQ(hardware.loads.size(), 2U);
  EXPECT_EQ(hardware.loads[1].first.backend, Backend::kWebgpu);
  demand.backend = Backend::kWasm;
  dispatcher.submit(request(demand), [](const Result<InferenceResponse>&) {});
  settle();
  EXPECT_EQ(hardware.runs.size(), 2U) << "wasm served the first one meanwhile, and it was demanded by the second";
}

}  // namespace
}  // namespace shoal::dispatch
