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
    const Way way = warm_up_of(snapshot, slots, "hs/0", WarmUp::kAll, 4).defaults.at(0);
    InstanceState& state = slots["hs/0"].engines[Backend::kWasm].instances[way.candidate.instance];
    state.kind = kind;
    state.error = {Code::kGraphBuildingError, "bad node", {}};
  }

  std::shared_ptr<models::ModelVersion> model = test_model({Backend::kWasm, Backend::kWebnn});
  models::Snapshot snapshot;
  schedule::Slots slots;
};

TEST_F(WarmUpTest, TheFirstUsablePreferenceIsTheDefault) {
  const WarmUpQueue wasm = warm_up_of(snapshot, slots, "hs/0", WarmUp::kAll, 4);
  EXPECT_EQ(wasm.defaults.size(), 1U);
  EXPECT_TRUE(wasm.others.empty());
  const WarmUpQueue webnn = warm_up_of(snapshot, slots, "hs/1", WarmUp::kAll, 4);
  EXPECT_TRUE(webnn.defaults.empty());
  EXPECT_EQ(webnn.others.size(), 1U);
  EXPECT_TRUE(warm_up_of(snapshot, slots, "hs/1", WarmUp::kDefault, 4).others.empty());
  EXPECT_TRUE(warm_up_of(snapshot, slots, "hs/0", WarmUp::kNone, 4).defaults.empty());
}

TEST_F(WarmUpTest, DefaultsAreSettledWhenLoadedOrFailed) {
  EXPECT_FALSE(defaults_settled(snapshot, slots, 4));
  set(InstanceState::Kind::kLoading);
  EXPECT_FALSE(defaults_settled(snapshot, slots, 4));
  EXPECT_EQ(default_ready(*model, slots, WarmUp::kAll, 4).error().code, Code::kUnavailable);
  set(InstanceState::Kind::kFailed);
  EXPECT_TRUE(defaults_settled(snapshot, slots, 4));
  EXPECT_EQ(default_ready(*model, slots, WarmUp::kAll, 4).error().code, Code::kGraphBuildingError);
  set(InstanceState::Kind::kReady);
  EXPECT_TRUE(defaults_settled(snapshot, slots, 4));
  EXPECT_TRUE(default_ready(*model, slots, WarmUp::kAll, 4));
}

TEST_F(WarmUpTest, WithoutWarmUpAWorkerThatCouldRunItMustBeThere) {
  model->backends = {Backend::kWasm};
  EXPECT_TRUE(default_ready(*model, slots, WarmUp::kNone, 4));
  slots["hs/0"].is_up = false;
  const Status lost = default_ready(*model, slots, WarmUp::kNone, 4);
  EXPECT_EQ(lost.error().code, Code::kUnavailable) << "another browser, which cannot run it, is no help";
  EXPECT_EQ(lost.error().message, "no worker that could run model 'm' is connected");
  EXPECT_FALSE(is_drained(*model, slots)) << "it comes by itself";
  slots["hs/0"].duty = schedule::Duty::kDormant;
  EXPECT_TRUE(default_ready(*model, slots, WarmUp::kNone, 4)) << "the next request wakes it";
}

TEST_F(WarmUpTest, WhatOperatorsKeepAwayDoesNotComeByItself) {
  for (const char* slot : {"hs/0", "hs/1"}) {
    EXPECT_FALSE(is_drained(*model, slots));
    slots[slot].intake = schedule::Intake::kDrained;
  }
  EXPECT_TRUE(is_drained(*model, slots));
  EXPECT_EQ(default_ready(*model, slots, WarmUp::kAll, 4).error().message,
            "every worker that could run model 'm' is drained");
}

TEST_F(WarmUpTest, WhatNobodyCanLoadIsNotWaitedFor) {
  slots["hs/0"].engines[Backend::kWasm].usable = false;
  slots["hs/1"].engines[Backend::kWebnn].usable = false;
  EXPECT_TRUE(defaults_settled(snapshot, slots, 4));
}

TEST_F(WarmUpTest, ADefaultThatFindsNoRoomIsReadyOnDemandOrATypedError) {
  EXPECT_TRUE(defaults_settled(snapshot, slots, 0));
  EXPECT_TRUE(default_ready(*model, slots, WarmUp::kAll, 0)) << "the first request makes room";
  slots["hs/0"].memory_budget = 1;
  EXPECT_TRUE(defaults_settled(snapshot, slots, 4));
  EXPECT_EQ(default_ready(*model, slots, WarmUp::kAll, 4).error().code, Code::kResourceLimit);
}

TEST_F(WarmUpTest, NeverMoreThanFit) {
  EXPECT_TRUE(warm_up_of(snapshot, slots, "hs/0", WarmUp::kAll, 0).defaults.empty());
}

}  // namespace
}  // namespace shoal::dispatch
