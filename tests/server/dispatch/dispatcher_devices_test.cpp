// Devices in the dispatcher: who gets what, what becomes of the work of one that pauses or goes, and spot checks.
#include <optional>

#include "tests/server/dispatch/dispatcher_fixture.hpp"

namespace shoal::dispatch {
namespace {

class DispatcherDevicesTest : public DispatcherFixture {
 protected:
  DispatcherDevicesTest() : DispatcherFixture(options()) {
    dispatcher.set_quarantine([this](const std::string& slot, const std::string&) { quarantined.push_back(slot); });
  }
  static DispatcherOptions options() {
    DispatcherOptions options;
    options.spot_check = {.share = 0, .first = 1};
    return options;
  }
  void bring_up_browser() {
    dispatcher.worker_ready(browser);
    browser.loads.at(0).second(pool::LoadOutcome{});
  }
  void submit(std::optional<Tier> trust = Tier::kUntrusted, std::optional<std::string> worker = "device/0") {
    Demand demand;
    demand.worker = std::move(worker);
    demand.trust = trust;
    dispatcher.submit(request(std::move(demand)), [this](Result<InferenceResponse> result) {
      EXPECT_FALSE(answer) << "answered twice";
      answer = std::move(result);
    });
  }
  // Joins, loads on demand, and has its first run in hand.
  void bring_up_device() {
    dispatcher.worker_ready(device);
    EXPECT_TRUE(device.loads.empty()) << "models that do not allow it are not even loaded there";
    submit();
    device.loads.at(0).second(pool::LoadOutcome{});
    ASSERT_EQ(device.runs.size(), 1U);
  }

  std::vector<std::string> quarantined;
  ScriptedWorker browser{"hs/0", {Backend::kWasm}};
  ScriptedDevice device{"device/0", Tier::kUntrusted};
  std::optional<Result<InferenceResponse>> answer;
};

TEST_F(DispatcherDevicesTest, AnUntrustedDeviceGetsOnlyWhatAllowsIt) {
  dispatcher.worker_ready(device);
  EXPECT_FALSE(dispatcher.server_ready()) << "it serves nobody by itself";
  submit(std::nullopt);
  settle();
  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ((*answer).error().code, Code::kUnavailable);
  EXPECT_EQ((*answer).error().param, "shoal_trust");
  answer.reset();
  model->min_trust = Tier::kTrusted;
  submit(Tier::kUntrusted);
  settle();
  EXPECT_EQ((*answer).error().param, "shoal_trust") << "the model's word is above the request's";
  answer.reset();
  model->min_trust = Tier::kUntrusted;
  submit(std::nullopt);
  EXPECT_EQ(device.loads.size(), 1U);
}

TEST_F(DispatcherDevicesTest, WorkOfAPausedDeviceGoesElsewhereAndItIsGivenNoneUntilItResumes) {
  bring_up_browser();
  dispatcher.worker_ready(device);
  submit(Tier::kUntrusted, std::nullopt);
  browser.runs.at(0).second(pool::RunOutcome{});
  settle();
  answer.reset();
  submit();
  device.loads.at(0).second(pool::LoadOutcome{});
  ASSERT_EQ(device.runs.size(), 1U);
  dispatcher.worker_paused("device/0");
  device.runs[0].second(fail(Code::kDeviceLost, "it pauses"));
  settle();
  EXPECT_FALSE(answer) << "it was demanded: it waits";
  EXPECT_EQ(device.runs.size(), 1U);
  dispatcher.worker_resumed("device/0");
  EXPECT_EQ(device.runs.size(), 2U);
}

TEST_F(DispatcherDevicesTest, ADeviceThatHasLeftIsForgotten) {
  bring_up_browser();
  bring_up_device();
  device.runs[0].second(fail(Code::kWorkerLost, "gone"));
  dispatcher.worker_lost("device/0", "gone");
  settle();
  ASSERT_TRUE(answer && !*answer) << "only the demanded one could have done it";
  EXPECT_EQ((*answer).error().code, Code::kUnavailable);
  EXPECT_FALSE(dispatcher.slots().contains("device/0"));
  answer.reset();
  submit();
  settle();
  EXPECT_EQ((*answer).error().code, Code::kNotFound);
}

TEST_F(DispatcherDevicesTest, ARightResultIsAnsweredAfterItsCheck) {
  bring_up_browser();
  bring_up_device();
  device.runs[0].second(pool::RunOutcome{{test_input(2, 3)}, 5, 0});
  settle();
  EXPECT_FALSE(answer) << "not before it is checked";
  ASSERT_EQ(browser.runs.size(), 1U);
  browser.runs[0].second(pool::RunOutcome{{test_input(2, 3)}, 5, 0});
  settle();
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ((*answer)->worker, "device/0");
  EXPECT_EQ((*answer)->tier, "untrusted");
  EXPECT_TRUE(quarantined.empty());
  answer.reset();
  submit();
  device.runs.at(1).second(pool::RunOutcome{{test_input(2, 3)}, 5, 0});
  settle();
  EXPECT_TRUE(answer && *answer) << "only the first is drawn here";
}

TEST_F(DispatcherDevicesTest, AWrongResultNeverGoesOut) {
  bring_up_browser();
  bring_up_device();
  device.runs[0].second(pool::RunOutcome{{}, 5, 0});
  browser.runs.at(0).second(pool::RunOutcome{{test_input(2, 3)}, 5, 0});
  settle();
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ((*answer)->worker, "hs/0");
  EXPECT_EQ((*answer)->outputs.size(), 1U);
  EXPECT_EQ(quarantined, std::vector<std::string>{"device/0"});
}

TEST_F(DispatcherDevicesTest, WithoutATrustedWorkerTheResultGoesOutUnchecked) {
  bring_up_device();
  dispatcher.set_intake("hs/0", schedule::Intake::kDrained);
  device.runs[0].second(pool::RunOutcome{{test_input(2, 3)}, 5, 0});
  settle();
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ((*answer)->worker, "device/0");
}

TEST_F(DispatcherDevicesTest, ATrustedDeviceIsAWorkerLikeOthers) {
  ScriptedDevice trusted("device/1", Tier::kTrusted);
  dispatcher.worker_ready(trusted);
  ASSERT_EQ(trusted.loads.size(), 1U) << "it warms up";
  trusted.loads[0].second(pool::LoadOutcome{});
  EXPECT_TRUE(dispatcher.server_ready());
  submit(std::nullopt, std::nullopt);
  trusted.runs.at(0).second(pool::RunOutcome{{test_input(2, 3)}, 5, 0});
  settle();
  EXPECT_TRUE(answer && *answer);
}

}  // namespace
}  // namespace shoal::dispatch
