#include "server/dispatch/warm_up.hpp"

#include <gtest/gtest.h>

#include "tests/server/dispatch/test_model.hpp"

namespace shoal::dispatch {
namespace {

using schedule::InstanceState;

class WarmUpTest : public testing::Test {
 protected:
  WarmUpTest() {
    snapshot.models["m"][1] = model;
    for (const auto& [slot, backend] : {std::pair("hs/0", Backend::kWasm), std::pair("hs/1", Backend::kWebnn)}) {
      slots[slot].is_up = true;
      slots[slot].engines[backend].usable = true;
    }
  }
  // The default's state on the slot of wasm.
  void set(InstanceState::Kind kind) {
    const Way way = warm_up_of(snapshot, slots, "hs/0", {.policy = WarmUp::kAll, .max_instances = 4}).defaults.at(0);
    InstanceState& state = slots["hs/0"].engines[Backend::kWasm].instances[way.candidate.instance];
    state.kind = kind;
    state.error = {Code::kGraphBuildingError, "bad node", {}};
  }

  std::shared_ptr<models::ModelVersion> model = test_model({Backend::kWasm, Backend::kWebnn});
  models::Snapshot snapshot;
  schedule::Slots slots;
};

TEST_F(WarmUpTest, TheFirstUsablePreferenceIsTheDefault) {
  const WarmUpQueue wasm = warm_up_of(snapshot, slots, "hs/0", {.policy = WarmUp::kAll, .max_instances = 4});
  EXPECT_EQ(wasm.defaults.size(), 1U);
  EXPECT_TRUE(wasm.others.empty());
  const WarmUpQueue webnn = warm_up_of(snapshot, slots, "hs/1", {.policy = WarmUp::kAll, .max_instances = 4});
  EXPECT_TRUE(webnn.defaults.empty());
  EXPECT_EQ(webnn.others.size(), 1U);
  EXPECT_TRUE(warm_up_of(snapshot, slots, "hs/1", {.policy = WarmUp::kDefault, .max_instances = 4}).others.empty());
  EXPECT_TRUE(warm_up_of(snapshot, slots, "hs/0", {.policy = WarmUp::kNone, .max_instances = 4}).defaults.empty());
}

TEST_F(WarmUpTest, DefaultsAreSettledWhenLoadedOrFailed) {
  EXPECT_FALSE(defaults_settled(snapshot, slots, {.max_instances = 4}));
  set(InstanceState::Kind::kLoading);
  EXPECT_FALSE(defaults_settled(snapshot, slots, {.max_instances = 4}));
  EXPECT_EQ(default_ready(*model, slots, {.policy = WarmUp::kAll, .max_instances = 4}).error().code,
            Code::kUnavailable);
  set(InstanceState::Kind::kFailed);
  EXPECT_TRUE(defaults_settled(snapshot, slots, {.max_instances = 4}));
  EXPECT_EQ(default_ready(*model, slots, {.policy = WarmUp::kAll, .max_instances = 4}).error().code,
            Code::kGraphBuildingError);
  set(InstanceState::Kind::kReady);
  EXPECT_TRUE(defaults_settled(snapshot, slots, {.max_instances = 4}));
  EXPECT_TRUE(default_ready(*model, slots, {.policy = WarmUp::kAll, .max_instances = 4}));
}

TEST_F(WarmUpTest, WithoutWarmUpAWorkerThatCouldRunItMustBeThere) {
  model->backends = {Backend::kWasm};
  EXPECT_TRUE(default_ready(*model, slots, {.policy = WarmUp::kNone, .max_instances = 4}));
  slots["hs/0"].is_up = false;
  const Status lost = default_ready(*model, slots, {.policy = WarmUp::kNone, .max_instances = 4});
  EXPECT_EQ(lost.error().code, Code::kUnavailable) << "another browser, which cannot run it, is no help";
  EXPECT_EQ(lost.error().message, "no worker that could run model 'm' is connected");
  EXPECT_FALSE(is_drained(*model, slots, {.max_instances = 4})) << "it comes by itself";
  slots["hs/0"].duty = schedule::Duty::kDormant;
  EXPECT_TRUE(default_ready(*model, slots, {.policy = WarmUp::kNone, .max_instances = 4}))
      << "the next request wakes it";
}

TEST_F(WarmUpTest, WhatOperatorsKeepAwayDoesNotComeByItself) {
  for (const char* slot : {"hs/0", "hs/1"}) {
    EXPECT_FALSE(is_drained(*model, slots, {.max_instances = 4}));
    slots[slot].intake = schedule::Intake::kDrained;
  }
  EXPECT_TRUE(is_drained(*model, slots, {.max_instances = 4}));
  EXPECT_EQ(default_ready(*model, slots, {.policy = WarmUp::kAll, .max_instances = 4}).error().message,
            "every worker that could run model 'm' is drained");
}

TEST_F(WarmUpTest, WhatNobodyCanLoadIsNotWaitedFor) {
  slots["hs/0"].engines[Backend::kWasm].usable = false;
  slots["hs/1"].engines[Backend::kWebnn].usable = false;
  EXPECT_TRUE(defaults_settled(snapshot, slots, {.max_instances = 4}));
}

TEST_F(WarmUpTest, ADefaultThatFindsNoRoomIsReadyOnDemandOrATypedError) {
  EXPECT_TRUE(defaults_settled(snapshot, slots, {.max_instances = 0}));
  EXPECT_TRUE(default_ready(*model, slots, {.policy = WarmUp::kAll, .max_instances = 0}))
      << "the first request makes room";
  slots["hs/0"].memory_budget = 1;
  EXPECT_TRUE(defaults_settled(snapshot, slots, {.max_instances = 4}));
  EXPECT_EQ(default_ready(*model, slots, {.policy = WarmUp::kAll, .max_instances = 4}).error().code,
            Code::kResourceLimit);
}

TEST_F(WarmUpTest, WhatIsKeptComesFirstThenWhatIsAskedForMost) {
  for (const char* name : {"a", "b", "c"}) {
    snapshot.models[name][1] = test_model({Backend::kWasm}, name);
  }
  const auto pinned = test_model({Backend::kWasm}, "z");
  pinned->residency.is_pinned = true;
  snapshot.models["z"][1] = pinned;
  const auto names = [&](WarmUp policy) {
    std::vector<std::string> found;
    const WarmUpRules rules{.policy = policy, .max_instances = 8, .demand = [](const models::ModelVersion& one) {
                              return one.name == "c" ? 5.0 : 0.0;
                            }};
    for (const Way& way : warm_up_of(snapshot, slots, "hs/0", rules).defaults) {
      found.push_back(way.candidate.instance.substr(0, way.candidate.instance.find(':')));
    }
    return found;
  };
  EXPECT_EQ(names(WarmUp::kAll), (std::vector<std::string>{"z", "c", "a", "b", "m"}));
  EXPECT_EQ(names(WarmUp::kNone), std::vector<std::string>{"z"}) << "it is kept whatever is warmed up";
}

TEST_F(WarmUpTest, AGuessThatDoesNotHoldHereIsNotTheDefaultHere) {
  const auto order = [](const models::ModelVersion&) {
    return Order{{Backend::kWebgpu, true}, {Backend::kWasm, false}, {Backend::kWebgpu, false}};
  };
  model->backends = {Backend::kWasm, Backend::kWebgpu};
  slots["hs/0"].engines[Backend::kWebgpu].usable = true;
  slots["gpu/0"].is_up = true;
  for (const Backend backend : {Backend::kWasm, Backend::kWebgpu}) {
    slots["gpu/0"].engines[backend].usable = true;
  }
  slots["gpu/0"].engines[Backend::kWebgpu].is_worth = true;
  const WarmUpRules rules{.policy = WarmUp::kAll, .max_instances = 4, .order = order};
  EXPECT_EQ(warm_up_of(snapshot, slots, "gpu/0", rules).defaults.at(0).candidate.backend, Backend::kWebgpu);
  EXPECT_EQ(warm_up_of(snapshot, slots, "hs/0", rules).defaults.at(0).candidate.backend, Backend::kWasm);
  EXPECT_EQ(default_ready(*model, slots, rules).error().code, Code::kUnavailable);
  set(InstanceState::Kind::kReady);
  EXPECT_TRUE(default_ready(*model, slots, rules)) << "wasm answers in its place";
  const WarmUpRules wish{.policy = WarmUp::kAll, .max_instances = 4, .order = [](const models::ModelVersion&) {
                           return Order{{Backend::kWebgpu, false}, {Backend::kWasm, false}};
                         }};
  EXPECT_FALSE(default_ready(*model, slots, wish));
}

TEST_F(WarmUpTest, NeverMoreThanFit) {
  EXPECT_TRUE(warm_up_of(snapshot, slots, "hs/0", {.policy = WarmUp::kAll, .max_instances = 0}).defaults.empty());
}

}  // namespace
}  // namespace shoal::dispatch
