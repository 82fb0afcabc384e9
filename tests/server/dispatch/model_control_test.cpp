#include "server/dispatch/model_control.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "server/metrics/families.hpp"
#include "tests/server/dispatch/scripted_worker.hpp"
#include "tests/server/models/models_for_test.hpp"

namespace shoal::dispatch {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

// `output` makes other bytes of it: another graph.
std::string graph(const std::string& output) {
  return models::bytes_of(models::make_model({{"x", onnx::TensorProto::FLOAT, {"batch", "2"}}},
                                             {{output, onnx::TensorProto::FLOAT, {"batch", "2"}}}));
}

class ModelControlTest : public testing::Test {
 protected:
  ModelControlTest() { dispatcher_.slot_configured("hs/0", {Backend::kWasm}); }
  ~ModelControlTest() override {
    if (control_) {
      control_->stop();
    }
  }

  void start(ModelControlOptions options) {
    control_.emplace(
        context_.get_executor(),
        models::RepositoryOptions{.root = folder_.path() / "models", .store = {}, .default_backends = {Backend::kWasm}},
        std::move(options), dispatcher_, Log::discard());
    control_->start();
    until([this] { return control_->snapshot()->is_read; });
  }
  void start_explicit(std::vector<std::string> names = {"m"}) {
    start({.mode = ControlMode::kExplicit, .load_on_start = std::move(names)});
  }
  void write(const std::string& text, const std::string& path = "m/1/model.onnx") {
    folder_.write("models/" + path, text);
  }
  void until(const std::function<bool()>& is_true) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!is_true()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "it does not come true";
      turn();
      std::this_thread::sleep_for(1ms);
    }
  }
  void turn() {
    context_.restart();
    context_.poll();
  }
  // A browser that has built what it was told to.
  void browser() {
    dispatcher_.worker_ready(worker_);
    built(0);
  }
  void built(std::size_t load) {
    until([&] { return worker_.loads.size() > load; });
    worker_.loads.at(load).second(pool::LoadOutcome{});
    turn();
  }
  void load(std::optional<std::string> config = {}, const std::string& name = "m") {
    status_.reset();
    control_->load({.model = name, .config = std::move(config)}, [this](Status status) { status_ = status; });
  }
  void unload(const std::string& name = "m") {
    status_.reset();
    control_->unload(name, [this](Status status) { status_ = status; });
  }
  Status ended() {
    until([this] { return status_.has_value(); });
    return status_.value_or(Status());
  }
  [[nodiscard]] models::ModelPtr served() const { return control_->snapshot()->find("m").value_or(nullptr); }
  void submit() {
    InferenceRequest request{.request_id = "r",
                             .model = served(),
                             .inputs = {{"x", DataType::kFp32, {1, 2}, std::string(8, 'z')}},
                             .outputs = {},
                             .pooling = {},
                             .demand = {},
                             .received = Clock::now()};
    dispatcher_.submit(std::move(request), [this](auto result) { answers_.push_back(std::move(result)); });
  }
  void run_ends(std::size_t run) {
    worker_.runs.at(run).second(pool::RunOutcome{.outputs = {{"y", DataType::kFp32, {1, 2}, std::string(8, 'y')}}});
  }

  models::TempFolder folder_;
  boost::asio::io_context context_;
  metrics::Families metrics_;
  Dispatcher dispatcher_{context_.get_executor(), DispatcherOptions{}, metrics_, Log::discard()};
  ScriptedWorker worker_{"hs/0", {Backend::kWasm}};
  std::optional<ModelControl> control_;
  std::optional<Status> status_;
  std::vector<Result<InferenceResponse>> answers_;
};

TEST_F(ModelControlTest, AReloadServesTheOldVersionUntilTheNewOneIsBuiltAndEndsWhatItAccepted) {
  write(graph("y"));
  start_explicit();
  browser();
  const std::string old_instance = worker_.loads[0].first.instance;
  const std::string old_digest = served()->graph.sha256;
  submit();
  until([this] { return worker_.runs.size() == 1; });
  write(graph("other"));
  load();
  until([this] { return worker_.loads.size() == 2; });
  EXPECT_EQ(served()->graph.sha256, old_digest);
  EXPECT_NE(control_->snapshot()->blob(worker_.loads[1].first.graph.sha256), nullptr) << "the browser must get it";
  EXPECT_EQ(control_->view().loading, "m");
  submit();
  until([this] { return worker_.runs.size() == 2; });
  EXPECT_FALSE(status_);
  built(1);
  EXPECT_TRUE(ended());
  EXPECT_NE(served()->graph.sha256, old_digest);
  std::this_thread::sleep_for(150ms);
  turn();
  EXPECT_TRUE(worker_.unloaded.empty()) << "two requests still run on it";
  EXPECT_EQ(control_->view().unloading, (decltype(ControlView::unloading){{"m", 1}}));
  EXPECT_NE(control_->snapshot()->blob(old_digest), nullptr);
  run_ends(0);
  run_ends(1);
  until([this] { return !worker_.unloaded.empty(); });
  EXPECT_THAT(worker_.unloaded, ElementsAre(old_instance));
  EXPECT_EQ(control_->snapshot()->blob(old_digest), nullptr);
  ASSERT_EQ(answers_.size(), 2U);
  EXPECT_TRUE(answers_[0] && answers_[1]);
  submit();
  until([this] { return worker_.runs.size() == 3; });
  EXPECT_EQ(worker_.runs[2].first.instance, worker_.loads[1].first.instance);
}

TEST_F(ModelControlTest, ABrokenFolderLeavesTheOldVersionServing) {
  write(graph("y"));
  start_explicit();
  browser();
  const models::ModelPtr before = served();
  write("no graph");
  load();
  const Status refused = ended();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("load failed for model 'm': version 1 is at UNAVAILABLE state"));
  EXPECT_EQ(served(), before);
  write("max_bach_size: 2\n", "m/config.pbtxt");
  load();
  EXPECT_THAT(ended().error().message, HasSubstr("config.pbtxt:1"));
  EXPECT_EQ(served(), before);
  EXPECT_TRUE(worker_.unloaded.empty());
}

TEST_F(ModelControlTest, AGraphThatNoBrowserBuildsLeavesTheOldVersionServing) {
  write(graph("y"));
  start_explicit();
  browser();
  const models::ModelPtr before = served();
  write(graph("other"));
  load();
  until([this] { return worker_.loads.size() == 2; });
  worker_.loads[1].second(fail(Code::kOperatorNotSupported, "no kernel for Foo"));
  const Status refused = ended();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kOperatorNotSupported);
  EXPECT_THAT(refused.error().message, HasSubstr("no kernel for Foo"));
  EXPECT_EQ(served(), before);
  load();
  until([this] { return worker_.loads.size() == 3; });  // it is tried again
  built(2);
  EXPECT_TRUE(ended());
  EXPECT_NE(served(), before);
}

TEST_F(ModelControlTest, UnloadRefusesWhatComesAndEndsWhatItAccepted) {
  write(graph("y"));
  start_explicit();
  browser();
  submit();
  until([this] { return worker_.runs.size() == 1; });
  unload();
  EXPECT_TRUE(ended());
  const auto found = control_->snapshot()->find("m");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kUnavailable);
  EXPECT_THAT(found.error().message, HasSubstr("not at ready state: unloaded"));
  EXPECT_TRUE(worker_.unloaded.empty());
  run_ends(0);
  until([this] { return worker_.unloaded.size() == 1; });
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_TRUE(answers_[0]);
  EXPECT_TRUE(control_->view().unloading.empty());
  EXPECT_TRUE(control_->snapshot()->blobs.empty());
  unload();
  EXPECT_TRUE(ended()) << "it is unloaded already";
  load();
  built(1);
  EXPECT_TRUE(ended());
  EXPECT_TRUE(served());
}

TEST_F(ModelControlTest, AGraphThatIsBeingBuiltWhenItsModelGoesIsUnloadedOnceItIsThere) {
  write(graph("y"));
  start_explicit();
  dispatcher_.worker_ready(worker_);
  until([this] { return worker_.loads.size() == 1; });
  unload();
  EXPECT_TRUE(ended());
  until([this] { return control_->view().unloading.empty(); });
  EXPECT_TRUE(worker_.unloaded.empty());
  built(0);
  EXPECT_THAT(worker_.unloaded, ElementsAre(worker_.loads[0].first.instance));
}

TEST_F(ModelControlTest, ModelsThatNobodyAskedForAreKnownAndNotServed) {
  write(graph("y"));
  start_explicit({});
  EXPECT_THAT(control_->snapshot()->find("m").error().message, HasSubstr("not loaded"));
  write(graph("y"), "late/1/model.onnx");
  bool has_looked = false;
  control_->look([&] { has_looked = true; });
  until([&] { return has_looked; });
  EXPECT_TRUE(control_->snapshot()->models.contains("late"));
  load({}, "late");
  EXPECT_TRUE(ended()) << "without a browser it is served by the next that comes";
  EXPECT_TRUE(control_->snapshot()->find("late"));
  load({}, "nothing");
  EXPECT_EQ(ended().error().code, Code::kNotFound);
  unload("nothing");
  EXPECT_EQ(ended().error().code, Code::kNotFound);
  load({}, "../m");
  EXPECT_EQ(ended().error().code, Code::kInvalidArgument);
}

TEST_F(ModelControlTest, AConfigurationCanBeGivenWithALoad) {
  write(graph("y"));
  start_explicit();
  load(R"({"max_batch_size": 4, "dynamic_batching": {"max_queue_delay_microseconds": 100}})");
  EXPECT_TRUE(ended());
  EXPECT_EQ(served()->max_batch_size, 4);
  load(R"({"max_bach_size": 4})");
  EXPECT_THAT(ended().error().message, HasSubstr("parameter 'config'"));
  EXPECT_EQ(served()->max_batch_size, 4);
  load();
  EXPECT_TRUE(ended());
  EXPECT_EQ(served()->max_batch_size, 32);
}

TEST_F(ModelControlTest, OnlyTheExplicitModeTakesRequests) {
  write(graph("y"));
  start({.mode = ControlMode::kNone});
  ASSERT_TRUE(served());
  load();
  EXPECT_EQ(ended().error().code, Code::kUnavailable);
  EXPECT_THAT(ended().error().message, HasSubstr("explicit model load / unload is not allowed"));
  unload();
  EXPECT_THAT(ended().error().message, HasSubstr("models.control is 'none'"));
}

TEST_F(ModelControlTest, PollingFollowsTheRepository) {
  write(graph("y"));
  start({.mode = ControlMode::kPoll, .poll_interval = 10ms});
  write(graph("y"), "new/1/model.onnx");
  until([this] { return control_->snapshot()->find("new").has_value(); });
  write(graph("other"), "m/2/model.onnx");
  until([this] { return served()->version == 2; });
  write("no graph", "m/3/model.onnx");
  std::this_thread::sleep_for(100ms);
  until([this] { return control_->view().loading.empty(); });
  EXPECT_EQ(served()->version, 2);
  std::filesystem::remove_all(folder_.path() / "models/new");
  until([this] { return !control_->snapshot()->models.contains("new"); });
  EXPECT_TRUE(served());
}

}  // namespace
}  // namespace shoal::dispatch
