#include "server/pool/echo_worker.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <vector>

namespace shoal::pool {
namespace {

using namespace std::chrono_literals;

class EchoWorkerTest : public testing::Test {
 protected:
  static LoadSpec spec(const std::string& instance, std::optional<Echo> echo) {
    return {.instance = instance,
            .backend = Backend::kEcho,
            .graph = {},
            .external = {},
            .free_dimensions = {},
            .echo = std::move(echo)};
  }
  void load(const std::string& instance, Echo echo) {
    bool is_loaded = false;
    worker.load(spec(instance, std::move(echo)), [&](Result<LoadOutcome> outcome) { is_loaded = outcome.has_value(); });
    EXPECT_FALSE(is_loaded);  // never from inside the call
    main.run();
    main.restart();
    EXPECT_TRUE(is_loaded);
  }
  std::uint64_t run(const std::string& instance, std::vector<Tensor> inputs, std::vector<std::string> outputs = {}) {
    const std::size_t index = results.size();
    results.emplace_back();
    return worker.run({.instance = instance,
                       .inputs = std::make_shared<const std::vector<Tensor>>(std::move(inputs)),
                       .outputs = std::move(outputs),
                       .pooling = {}},
                      [this, index](Result<RunOutcome> outcome) {
                        EXPECT_FALSE(results[index]) << "answered twice";
                        results[index] = std::move(outcome);
                        order.push_back(index);
                      });
  }
  static Tensor rows(std::int64_t count) {
    return {.name = "x", .datatype = DataType::kUint8, .shape = {count}, .data = std::string(std::size_t(count), 'a')};
  }
  static Echo of_x(Duration delay = {}, Duration per_row = {}, std::uint32_t instances = 1) {
    return {.outputs = {{"y", "x"}}, .delay = delay, .delay_per_row = per_row, .instances = instances};
  }

  boost::asio::io_context main;
  EchoWorker worker{main.get_executor(), "echo/0"};
  std::vector<std::optional<Result<RunOutcome>>> results;
  std::vector<std::size_t> order;
};

TEST_F(EchoWorkerTest, GivesTheBytesBackUnderTheOutputsName) {
  load("m", {.outputs = {{"y", "x"}, {"z", "x"}}});
  run("m", {rows(3)});
  run("m", {rows(2)}, {"z"});
  EXPECT_FALSE(results[0]);
  main.run();
  const auto& both = (*results[0])->outputs;
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].name, "y");
  EXPECT_EQ(both[0].data, "aaa");
  EXPECT_EQ(both[0].shape, Shape{3});
  ASSERT_EQ((*results[1])->outputs.size(), 1U);
  EXPECT_EQ((*results[1])->outputs[0].name, "z");
}

TEST_F(EchoWorkerTest, TakesAsLongAsItIsTold) {
  load("m", of_x(10ms, 5ms));
  const TimePoint began = Clock::now();
  run("m", {rows(4)});
  main.run();
  EXPECT_GE(Clock::now() - began, 30ms);
  EXPECT_GE((*results[0])->compute_us, 30'000U);
}

TEST_F(EchoWorkerTest, InstancesRunAtOnceAndTheRestWaits) {
  load("m", of_x({}, 10ms, 2));
  run("m", {rows(60)});
  run("m", {rows(1)});
  run("m", {rows(1)});
  main.run();
  EXPECT_EQ(order, (std::vector<std::size_t>{1, 2, 0}));
  EXPECT_GE((*results[2])->agent_queue_us, 10'000U);
}

TEST_F(EchoWorkerTest, CancelledIsAnsweredAndItsPlaceIsFree) {
  load("m", of_x(1h));
  const std::uint64_t first = run("m", {rows(1)});
  const std::uint64_t second = run("m", {rows(1)});
  worker.cancel(second);
  worker.cancel(first);
  worker.cancel(first);
  main.run();
  EXPECT_EQ((*results[0]).error().code, Code::kCancelled);
  EXPECT_EQ((*results[1]).error().code, Code::kCancelled);
}

class DecoupledEchoTest : public EchoWorkerTest {
 protected:
  using More = std::function<void()>;
  static Echo several(std::uint32_t responses, Duration gap = {}) {
    return {.outputs = {{"y", "x"}}, .responses = responses, .gap = gap};
  }
  // `reader` is called with each response before the last.
  std::uint64_t read(std::function<void(RunOutcome, More)> reader) {
    results.emplace_back();
    return worker.run({.instance = "m",
                       .inputs = std::make_shared<const std::vector<Tensor>>(std::vector{rows(2)}),
                       .outputs = {},
                       .pooling = {},
                       .partial = std::move(reader)},
                      [this, index = results.size() - 1](Result<RunOutcome> outcome) {
                        EXPECT_FALSE(results[index]) << "answered twice";
                        results[index] = std::move(outcome);
                      });
  }
};

TEST_F(DecoupledEchoTest, GivesAllButTheLastOneByOneAndTheLastAsItsAnswer) {
  load("m", several(4, 2ms));
  std::size_t given = 0;
  const TimePoint began = Clock::now();
  read([&](const RunOutcome& outcome, const More& more) {
    EXPECT_FALSE(results[0]);
    EXPECT_EQ(outcome.outputs.at(0).data, "aa");
    ++given;
    more();
    more();  // once more changes nothing
  });
  main.run();
  EXPECT_EQ(given, 3U);
  EXPECT_GE(Clock::now() - began, 6ms);
  ASSERT_TRUE(results[0] && *results[0]);
  EXPECT_EQ((*results[0])->outputs.at(0).data, "aa");
  EXPECT_FALSE((*results[0])->has_no_response);
}

TEST_F(DecoupledEchoTest, NoResponseIsAnEndWithoutOutputs) {
  load("m", several(0));
  read([](const RunOutcome&, const More&) { FAIL() << "there is no response"; });
  main.run();
  ASSERT_TRUE(results[0] && *results[0]);
  EXPECT_TRUE((*results[0])->has_no_response);
  EXPECT_TRUE((*results[0])->outputs.empty());
}

TEST_F(DecoupledEchoTest, WaitsForItsReaderWhichIsNotItsTime) {
  load("m", several(2));
  More more;
  read([&](const RunOutcome&, More next) { more = std::move(next); });
  while (!more) {
    ASSERT_EQ(main.run_one(), 1U);
  }
  main.run_for(20ms);
  EXPECT_FALSE(results[0]);
  more();
  main.restart();
  main.run();
  ASSERT_TRUE(results[0] && *results[0]);
  EXPECT_GE((*results[0])->held_us, 20'000U);
}

TEST_F(DecoupledEchoTest, CancelBetweenTwoResponsesFreesItsPlace) {
  load("m", several(4096));
  std::size_t given = 0;
  std::uint64_t first = 0;
  More late;
  first = read([&](const RunOutcome&, const More& more) {
    if (++given == 3) {
      late = more;
      worker.cancel(first);
    }
    more();
  });
  std::size_t others = 0;
  read([&](const RunOutcome&, const More& more) {
    if (++others < 10) {
      more();
    } else {
      main.stop();
    }
  });
  main.run();
  EXPECT_EQ(given, 3U);
  EXPECT_EQ((*results[0]).error().code, Code::kCancelled);
  EXPECT_EQ(others, 10U);
  late();
}

TEST_F(EchoWorkerTest, WhatIsNotThereIsAnError) {
  run("nothing", {rows(1)});
  std::optional<Code> refused;
  worker.load(spec("graph", {}), [&](Result<LoadOutcome> outcome) { refused = outcome.error().code; });
  main.run();
  main.restart();
  EXPECT_EQ((*results[0]).error().code, Code::kInternal);
  EXPECT_EQ(refused, Code::kInvalidArgument);
  load("m", of_x(5ms));
  run("m", {rows(1)});
  worker.unload("m");
  main.run();
  EXPECT_EQ((*results[1]).error().code, Code::kInternal);
}

}  // namespace
}  // namespace shoal::pool
