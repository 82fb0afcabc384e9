#include "server/dispatch/dispatcher.hpp"

#include <optional>

#include "tests/server/dispatch/dispatcher_fixture.hpp"

namespace shoal::dispatch {
namespace {

class DispatcherTest : public DispatcherFixture {
 protected:
  DispatcherTest() {
    dispatcher.set_recycle([this](const std::string& slot, const std::string&) { recycled.push_back(slot); });
  }
  void bring_up(ScriptedWorker& worker) {
    dispatcher.worker_ready(worker);
    ASSERT_EQ(worker.loads.size(), 1U) << "the default backend warms up";
    worker.loads[0].second(pool::LoadOutcome{});
  }
  std::uint64_t submit(std::optional<Result<InferenceResponse>>& answer, Demand demand = {}) {
    return dispatcher.submit(request(std::move(demand)), [&answer](Result<InferenceResponse> result) {
      EXPECT_FALSE(answer) << "answered twice";
      answer = std::move(result);
    });
  }

  std::vector<std::string> recycled;  // slots that the dispatcher wanted another browser for
  const Statistics::key_type key{"m", 1};
};

TEST_F(DispatcherTest, RunsAndAnswersWithWhereAndHowLong) {
  ScriptedWorker worker("hs/0", {Backend::kWasm});
  EXPECT_EQ(dispatcher.server_ready().error().code, Code::kUnavailable);
  bring_up(worker);
  EXPECT_TRUE(dispatcher.server_ready());
  std::optional<Result<InferenceResponse>> answer;
  submit(answer);
  ASSERT_EQ(worker.runs.size(), 1U);
  worker.runs[0].second(pool::RunOutcome{{test_input(2, 3)}, 700, 50});
  EXPECT_FALSE(answer) << "never from inside a callback";
  settle();
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ((*answer)->backend, "wasm");
  EXPECT_EQ((*answer)->worker, "hs/0");
  EXPECT_EQ((*answer)->adapter, "cpu");
  EXPECT_EQ((*answer)->timing.compute_us, 700U);
  const ModelStatistics& statistics = dispatcher.statistics().at(key);
  EXPECT_EQ(statistics.inference_count, 2U) << "batch items";
  EXPECT_EQ(statistics.execution_count, 1U);
  EXPECT_EQ(statistics.pending, 0U);
}

class DecoupledDispatcherTest : public DispatcherTest {
 protected:
  DecoupledDispatcherTest() {
    model->is_decoupled = true;
    bring_up(worker);
  }
  std::uint64_t submit_decoupled() {
    InferenceRequest asked = request({});
    asked.partial = [this](InferenceResponse response, std::function<void()> more) {
      EXPECT_FALSE(answer);
      responses.push_back(std::move(response));
      more();
    };
    return dispatcher.submit(std::move(asked), [this](Result<InferenceResponse> result) {
      EXPECT_FALSE(answer) << "answered twice";
      answer = std::move(result);
    });
  }
  void give(std::size_t run) {
    worker.runs.at(run).first.partial(pool::RunOutcome{{test_input(2, 3)}}, [this] { ++asked_for_more; });
  }

  ScriptedWorker worker{"hs/0", {Backend::kWasm}};
  std::vector<InferenceResponse> responses;
  std::optional<Result<InferenceResponse>> answer;
  int asked_for_more = 0;
};

TEST_F(DecoupledDispatcherTest, EachResponseGoesToTheReaderAndTheLastIsTheAnswer) {
  submit_decoupled();
  give(0);
  give(0);
  ASSERT_EQ(responses.size(), 2U);
  EXPECT_EQ(responses[0].worker, "hs/0");
  EXPECT_EQ(responses[1].outputs.at(0).shape, (Shape{2, 3}));
  EXPECT_EQ(asked_for_more, 2);
  worker.runs[0].second(pool::RunOutcome{.outputs = {}, .has_no_response = true});
  settle();
  ASSERT_TRUE(answer && *answer);
  EXPECT_TRUE((*answer)->has_no_response);
  EXPECT_EQ(dispatcher.statistics().at(key).execution_count, 1U);
}

TEST_F(DecoupledDispatcherTest, WithoutAReaderItIsRefused) {
  submit(answer);
  settle();
  EXPECT_EQ(answer->error().code, Code::kOperatorNotSupported);
  EXPECT_TRUE(worker.runs.empty());
}

TEST_F(DecoupledDispatcherTest, AfterAResponseALostRunIsNotTriedAgain) {
  submit_decoupled();
  worker.runs.at(0).second(fail(Code::kDeviceLost, "lost"));
  ASSERT_EQ(worker.runs.size(), 2U) << "nothing had been answered";
  give(1);
  worker.runs.at(1).second(fail(Code::kWorkerLost, "killed"));
  dispatcher.worker_lost("hs/0", "killed");
  settle();
  EXPECT_EQ(worker.runs.size(), 2U);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->error().code, Code::kWorkerLost);
  EXPECT_EQ(dispatcher.statistics().at(key).pending, 0U);
  EXPECT_EQ(dispatcher.open_requests(), 0U);
}

TEST_F(DecoupledDispatcherTest, CancelEndsTheRunAndWhatItStillGivesIsDropped) {
  const std::uint64_t ticket = submit_decoupled();
  give(0);
  dispatcher.cancel(ticket);
  EXPECT_EQ(worker.cancelled.size(), 1U);
  give(0);
  settle();
  EXPECT_EQ(responses.size(), 1U);
  EXPECT_EQ(answer->error().code, Code::kCancelled);
}

// As those of a gRPC stream have, or of one parallel call.
TEST_F(DispatcherTest, ADeadlineHoldsForOneAfterTheOther) {
  ScriptedWorker worker("hs/0", {Backend::kWasm});
  bring_up(worker);
  const TimePoint deadline = Clock::now() + std::chrono::milliseconds(500);
  std::vector<std::optional<Result<InferenceResponse>>> answers(2);
  for (auto& answer : answers) {
    InferenceRequest asked = request({});
    asked.deadline = deadline;
    dispatcher.submit(std::move(asked), [&answer](Result<InferenceResponse> result) { answer = std::move(result); });
    if (&answer == &answers.front()) {
      worker.runs.at(0).second(pool::RunOutcome{{test_input(2, 3)}, 700, 50});
      settle();
    }
  }
  EXPECT_TRUE(answers[0] && *answers[0]);
  ASSERT_EQ(worker.runs.size(), 2U);
  context.restart();
  while (!answers[1] && context.run_one_for(std::chrono::seconds(10)) > 0) {
  }
  ASSERT_TRUE(answers[1]) << "nobody watches its deadline";
  EXPECT_EQ(answers[1]->error().code, Code::kDeadlineExceeded);
}

TEST_F(DispatcherTest, LostWorkGoesToTheNextBrowserWithTheSameInputs) {
  ScriptedWorker first("hs/0", {Backend::kWasm});
  bring_up(first);
  std::optional<Result<InferenceResponse>> answer;
  submit(answer);
  const auto inputs = first.runs.at(0).first.inputs;
  first.runs[0].second(fail(Code::kWorkerLost, "killed"));
  dispatcher.worker_lost("hs/0", "killed");
  EXPECT_EQ(dispatcher.statistics().at(key).pending, 1U);
  ScriptedWorker second("hs/0", {Backend::kWasm});
  bring_up(second);
  ASSERT_EQ(second.runs.size(), 1U);
  EXPECT_EQ(second.runs[0].first.inputs, inputs);
  second.runs[0].second(pool::RunOutcome{});
  settle();
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ((*answer)->attempts, 2U);
}

TEST_F(DispatcherTest, CancelFreesTheWorkerAndLateAnswersAreDropped) {
  ScriptedWorker worker("hs/0", {Backend::kWasm});
  bring_up(worker);
  std::optional<Result<InferenceResponse>> answer;
  const std::uint64_t ticket = submit(answer);
  dispatcher.cancel(ticket);
  dispatcher.cancel(ticket);
  settle();
  EXPECT_EQ(answer->error().code, Code::kCancelled);
  EXPECT_EQ(worker.cancelled.size(), 1U);
  worker.runs[0].second(pool::RunOutcome{});
  settle();
  EXPECT_EQ(dispatcher.open_requests(), 0U);
  EXPECT_EQ(dispatcher.statistics().at(key).failures.at("CANCELED"), 1U);
}

TEST_F(DispatcherTest, DrainRefusesNewWorkAndReportsIdle) {
  ScriptedWorker worker("hs/0", {Backend::kWasm});
  bring_up(worker);
  std::optional<Result<InferenceResponse>> accepted;
  submit(accepted);
  bool is_idle = false;
  dispatcher.drain([&] { is_idle = true; });
  EXPECT_FALSE(dispatcher.server_ready());
  std::optional<Result<InferenceResponse>> refused;
  submit(refused);
  settle();
  EXPECT_EQ(refused->error().code, Code::kUnavailable);
  EXPECT_FALSE(is_idle);
  worker.runs[0].second(pool::RunOutcome{});
  settle();
  EXPECT_TRUE(accepted && *accepted);
  EXPECT_TRUE(is_idle);
}

TEST_F(DispatcherTest, FailedGraphIsTheModelsErrorAndDoesNotTakeTheServerOffTheAir) {
  ScriptedWorker worker("hs/0", {Backend::kWasm});
  dispatcher.worker_ready(worker);
  worker.loads.at(0).second(fail(Code::kGraphBuildingError, "bad node"));
  EXPECT_EQ(dispatcher.model_ready(*model).error().code, Code::kGraphBuildingError);
  EXPECT_TRUE(dispatcher.server_ready());
  std::optional<Result<InferenceResponse>> answer;
  submit(answer);
  settle();
  EXPECT_EQ(answer->error().code, Code::kGraphBuildingError);
}

TEST_F(DispatcherTest, SplitGraphIsReportedAsMixed) {
  ScriptedWorker worker("hs/0", {Backend::kWasm});
  dispatcher.worker_ready(worker);
  pool::LoadOutcome outcome;
  outcome.nodes = {{"webgpu", 10}, {"wasm", 2}};
  outcome.heavy_elsewhere = {"MatMul a on wasm"};
  worker.loads.at(0).second(std::move(outcome));
  std::optional<Result<InferenceResponse>> answer;
  submit(answer);
  worker.runs.at(0).second(pool::RunOutcome{});
  settle();
  EXPECT_EQ((*answer)->backend, "mixed");
  EXPECT_EQ((*answer)->nodes.at("wasm"), 2U);
}

TEST_F(DispatcherTest, PlacementBelongsToTheBrowserThatReportedIt) {
  ScriptedWorker split("hs/0", {Backend::kWasm});
  dispatcher.worker_ready(split);
  split.loads.at(0).second(pool::LoadOutcome{.nodes = {{"wasm", 2}}, .heavy_elsewhere = {"MatMul a on wasm"}});
  ScriptedWorker whole("hs/1", {Backend::kWasm});
  dispatcher.worker_ready(whole);
  whole.loads.at(0).second(pool::LoadOutcome{.nodes = {{"wasm", 12}}, .heavy_elsewhere = {}});
  std::optional<Result<InferenceResponse>> first;
  std::optional<Result<InferenceResponse>> second;
  Demand demand;
  demand.worker = "hs/0";
  submit(first, demand);
  demand.worker = "hs/1";
  submit(second, demand);
  split.runs.at(0).second(pool::RunOutcome{});
  whole.runs.at(0).second(pool::RunOutcome{});
  settle();
  EXPECT_EQ((*first)->backend, "mixed");
  EXPECT_EQ((*second)->backend, "wasm");
  EXPECT_EQ((*second)->nodes.at("wasm"), 12U);
}

TEST_F(DispatcherTest, AfterALostDeviceTheSameBrowserRunsItAgain) {
  ScriptedWorker worker("hs/0", {Backend::kWasm});
  bring_up(worker);
  std::optional<Result<InferenceResponse>> answer;
  submit(answer);
  worker.runs.at(0).second(fail(Code::kDeviceLost, "lost"));
  ASSERT_EQ(worker.runs.size(), 2U) << "the agent restarts the engine and loads again by itself";
  worker.runs.at(1).second(pool::RunOutcome{});
  settle();
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->attempts, 2U);
  EXPECT_TRUE(recycled.empty());
}

TEST_F(DispatcherTest, AnEngineThatWasGivenUpTakesANewBrowser) {
  ScriptedWorker worker("hs/0", {Backend::kWasm});
  bring_up(worker);
  std::optional<Result<InferenceResponse>> answer;
  submit(answer);
  worker.runs.at(0).second(fail(Code::kBackendUnavailable, "the wasm engine stopped 6 times within a minute"));
  settle();
  EXPECT_EQ(recycled, std::vector<std::string>{"hs/0"});
  EXPECT_EQ(worker.runs.size(), 1U);
  EXPECT_FALSE(answer);
}

TEST_F(DispatcherTest, ADrainedBrowserFinishesWhatItHasAndIsNotReady) {
  ScriptedWorker worker("hs/0", {Backend::kWasm});
  pool::EventLog events{8, Log::discard()};
  dispatcher.set_events(events);
  bring_up(worker);
  std::optional<Result<InferenceResponse>> before;
  submit(before);
  ASSERT_EQ(worker.runs.size(), 1U);
  dispatcher.set_intake("hs/0", schedule::Intake::kDrained);
  EXPECT_EQ(dispatcher.server_ready().error().code, Code::kUnavailable);
  std::optional<Result<InferenceResponse>> refused;
  submit(refused);
  settle();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error().code, Code::kUnavailable);
  EXPECT_EQ(worker.runs.size(), 1U);
  worker.runs[0].second(pool::RunOutcome{{test_input(2, 3)}, 700, 50});
  settle();
  ASSERT_TRUE(before && *before) << "what it had is answered";
  dispatcher.set_intake("hs/0", schedule::Intake::kOpen);
  EXPECT_TRUE(dispatcher.server_ready());
  std::optional<Result<InferenceResponse>> after;
  submit(after);
  EXPECT_EQ(worker.runs.size(), 2U);
  ASSERT_EQ(events.ring().last_sequence(), 1U);
  EXPECT_EQ(events.ring().after(0, 1).front().to, "loaded");
}

TEST_F(DispatcherTest, JobsWaitForTheBrowserThatReplacesAHeldOne) {
  ScriptedWorker worker("hs/0", {Backend::kWasm});
  bring_up(worker);
  dispatcher.set_intake("hs/0", schedule::Intake::kHeld);
  std::optional<Result<InferenceResponse>> answer;
  submit(answer);
  settle();
  EXPECT_FALSE(answer);
  EXPECT_TRUE(worker.runs.empty());
  dispatcher.worker_lost("hs/0", "recycled");
  ScriptedWorker next("hs/0", {Backend::kWasm});
  bring_up(next);
  EXPECT_EQ(next.runs.size(), 1U);
}

TEST_F(DispatcherTest, ARequestThatLosesEveryWorkerIsAnsweredThenRefused) {
  std::optional<Result<InferenceResponse>> answer;
  std::optional<Result<InferenceResponse>> copy;
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ScriptedWorker worker("hs/0", {Backend::kWasm});
    bring_up(worker);
    if (attempt == 1) {
      submit(answer);
    }
    ASSERT_EQ(worker.runs.size(), 1U) << attempt;
    if (attempt == 3) {
      submit(copy, {.backend = {}, .worker = "hs/0", .bits = {}, .variant = {}, .trust = {}});
      EXPECT_EQ(worker.runs.size(), 1U) << "its last attempt is made alone";
    }
    worker.runs[0].second(fail(Code::kWorkerLost, "killed"));
    dispatcher.worker_lost("hs/0", "killed");
  }
  settle();
  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error().code, Code::kWorkerLost);
  EXPECT_NE(answer->error().message.find("is quarantined, fingerprint"), std::string::npos);
  ASSERT_TRUE(copy && !*copy) << "the same request that waited behind it is not tried";
  EXPECT_EQ(copy->error().code, Code::kWorkerLost);
  EXPECT_EQ(dispatcher.statistics().at(key).pending, 0U);

  ScriptedWorker worker("hs/0", {Backend::kWasm});
  bring_up(worker);
  answer.reset();
  submit(answer);
  settle();
  EXPECT_TRUE(worker.runs.empty());
  ASSERT_TRUE(answer && !*answer);
  EXPECT_NE(answer->error().message.find("this request is quarantined for 600 s more: 3 workers"), std::string::npos)
      << answer->error().message;
  ASSERT_EQ(dispatcher.quarantine().list(Clock::now()).size(), 1U);
  EXPECT_EQ(dispatcher.clear_quarantine("unknown"), 0U);
  EXPECT_EQ(dispatcher.clear_quarantine({}), 1U);
  answer.reset();
  submit(answer);
  EXPECT_EQ(worker.runs.size(), 1U);
  dispatcher.abandon({Code::kUnavailable, "the end", {}});
}

}  // namespace
}  // namespace shoal::dispatch
