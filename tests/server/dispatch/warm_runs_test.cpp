// Warm runs: after a graph is loaded, before it is given requests.
#include "server/dispatch/warm_runs.hpp"

#include <gmock/gmock.h>

#include <optional>

#include "server/models/warm_samples.hpp"
#include "tests/server/dispatch/dispatcher_fixture.hpp"

namespace shoal::dispatch {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::shared_ptr<const models::WarmSamples> samples_of(const models::ModelVersion& model) {
  auto warm = std::make_shared<models::WarmSamples>();
  warm->samples = {{.name = "small", .inputs = {test_input(1, 3)}, .runs = 2},
                   {.name = "large", .inputs = {test_input(2, 9)}, .runs = 1}};
  warm->inputs = model.inputs;
  warm->buckets = model.webnn_buckets;
  warm->digest = "d1";
  return warm;
}

class WarmRunsTest : public DispatcherFixture {
 protected:
  WarmRunsTest() {
    dispatcher.set_recycle([this](const std::string& slot, const std::string&) { recycled.push_back(slot); });
    auto warmed = test_model({Backend::kWasm});
    warmed->warm_samples = samples_of(*warmed);
    auto snapshot = std::make_shared<models::Snapshot>();
    snapshot->models["m"][1] = warmed;
    model = warmed;
    dispatcher.set_models(snapshot);
    dispatcher.worker_ready(worker);
    worker.loads.at(0).second(pool::LoadOutcome{});
  }
  void run_ends(std::size_t run) {
    auto done = worker.runs.at(run).second;
    done(pool::RunOutcome{});
  }
  void run_fails(std::size_t run, Code code) {
    auto done = worker.runs.at(run).second;
    done(fail(code, "Gather: index 7 is out of bounds"));
  }

  ScriptedWorker worker{"hs/0", {Backend::kWasm}};
  std::vector<std::string> recycled;
};

TEST_F(WarmRunsTest, ThereAreNoRequestsBeforeTheLastOfThem) {
  std::optional<Result<InferenceResponse>> answer;
  dispatcher.submit(request({}), [&](Result<InferenceResponse> result) { answer = std::move(result); });
  for (std::size_t run = 0; run < 3; ++run) {
    ASSERT_THAT(worker.runs, SizeIs(run + 1)) << "one after the other, and no request between";
    EXPECT_EQ(dispatcher.model_ready(*model).error().code, Code::kUnavailable);
    EXPECT_FALSE(dispatcher.server_ready());
    EXPECT_EQ((*worker.runs[run].first.inputs)[0].shape, run < 2 ? (Shape{1, 3}) : (Shape{2, 9}));
    run_ends(run);
  }
  EXPECT_TRUE(dispatcher.model_ready(*model));
  ASSERT_THAT(worker.runs, SizeIs(4));
  EXPECT_EQ((*worker.runs[3].first.inputs)[0].shape, (Shape{2, 3})) << "the request";
  const ModelStatistics& statistics = dispatcher.statistics().at({"m", 1});
  EXPECT_EQ(statistics.execution_count, 1U) << "of the request alone";
  EXPECT_EQ(statistics.success.count + statistics.inference_count, 0U);
  EXPECT_THAT(statistics.batches, IsEmpty());
}

TEST_F(WarmRunsTest, AFailedOneIsAFailedLoad) {
  run_fails(0, Code::kInvalidArgument);
  const Status ready = dispatcher.model_ready(*model);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().code, Code::kInvalidArgument);
  EXPECT_EQ(ready.error().message, "model_warmup 'small': Gather: index 7 is out of bounds");
  EXPECT_THAT(worker.unloaded, testing::ElementsAre(worker.loads[0].first.instance));
  EXPECT_THAT(worker.runs, SizeIs(1));
  std::optional<Result<InferenceResponse>> answer;
  dispatcher.submit(request({}), [&](Result<InferenceResponse> result) { answer = std::move(result); });
  settle();
  ASSERT_TRUE(answer && !*answer);
  EXPECT_THAT((*answer).error().message, HasSubstr("Gather: index 7"));
}

TEST_F(WarmRunsTest, AnErrorThatWouldSoundLikeLaterIsNone) {
  run_fails(0, Code::kUnavailable);
  EXPECT_EQ(dispatcher.model_ready(*model).error().code, Code::kInternal);
}

TEST_F(WarmRunsTest, ALostBrowserBeginsAgain) {
  run_fails(0, Code::kWorkerLost);
  dispatcher.worker_lost("hs/0", "crashed");
  EXPECT_THAT(worker.unloaded, IsEmpty());
  EXPECT_EQ(dispatcher.model_ready(*model).error().code, Code::kUnavailable);
  ScriptedWorker next{"hs/0", {Backend::kWasm}};
  dispatcher.worker_ready(next);
  next.loads.at(0).second(pool::LoadOutcome{});
  EXPECT_THAT(next.runs, SizeIs(1));
}

TEST_F(WarmRunsTest, AnEngineThatIsGivenUpTakesANewBrowser) {
  run_fails(0, Code::kBackendUnavailable);
  EXPECT_THAT(recycled, testing::ElementsAre("hs/0"));
}

TEST_F(WarmRunsTest, AModelThatIsUnloadedMeanwhileIsWarmedNoFurther) {
  dispatcher.drop_graphs(instance_prefix(*model));
  run_ends(0);
  EXPECT_THAT(worker.runs, SizeIs(1));
  EXPECT_THAT(worker.unloaded, SizeIs(1));
}

TEST(WarmRuns, GraphsOfFixedShapesTakeTheSamplesOfTheirShapes) {
  const auto model = test_model({Backend::kWebnn, Backend::kWasm});
  model->warm_samples = samples_of(*model);
  const std::vector<Way> ways = warm_ways_of(*model);
  ASSERT_EQ(ways[0].built, (schedule::Dimensions{{"batch", 1}, {"length", 4}}));
  const std::vector<WarmRun> small = warm_runs_of(ways[0]);
  ASSERT_EQ(small.size(), 1U);
  EXPECT_EQ(small[0].sample, "small");
  EXPECT_EQ(small[0].times, 2U);
  EXPECT_EQ((*small[0].inputs)[0].shape, (Shape{1, 4})) << "padded";
  EXPECT_EQ(warm_runs_of(ways[1]).size(), 2U);
  Demand demand;
  demand.backend = Backend::kWebnn;
  const auto large = ways_of(*model, std::vector{test_input(4, 16)}, demand);
  ASSERT_TRUE(large);
  const std::vector<WarmRun> runs = warm_runs_of(large->front());
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].sample, "large");
  EXPECT_EQ((*runs[0].inputs)[0].shape, (Shape{4, 16}));
}

TEST(WarmRuns, OtherSamplesAreAnotherGraph) {
  const auto model = test_model({Backend::kWasm});
  const std::string without = instance_prefix(*model);
  model->warm_samples = samples_of(*model);
  EXPECT_NE(instance_prefix(*model), without);
}

}  // namespace
}  // namespace shoal::dispatch
