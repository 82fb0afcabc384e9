// Requests whose answers grow token by token: several in one worker, lost workers, and what is counted.
#include <gmock/gmock.h>

#include <cstring>

#include "tests/server/dispatch/dispatcher_fixture.hpp"

namespace shoal::dispatch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Tensor tokens(const std::vector<std::int32_t>& ids) {
  return {.name = "tokens",
          .datatype = DataType::kInt32,
          .shape = {static_cast<std::int64_t>(ids.size())},
          .data = std::string(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(std::int32_t))};
}

class DispatcherGenerationTest : public DispatcherFixture {
 protected:
  DispatcherGenerationTest() {
    model->inputs = {{"tokens", DataType::kInt32, {-1}, {""}, true}};
    model->outputs = model->inputs;
    model->max_batch_size = 0;
    model->is_decoupled = true;
    model->generation.emplace().parallel = 4;
    dispatcher.set_lost([this](const std::string& slot) { lost.push_back(slot); });
    connect();
  }
  void connect() {
    dispatcher.worker_ready(worker);
    settle();
    worker.loads.back().second(pool::LoadOutcome());
    settle();
  }
  struct Told {
    std::vector<std::int32_t> ids;
    std::optional<Result<InferenceResponse>> end;
  };
  std::uint64_t ask(Told& told, bool resumes = false) {
    InferenceRequest made = request({});
    made.inputs = {tokens({1, 2, 3})};
    made.generate = GenerateOptions{.max_tokens = 8};
    made.resumes = resumes;
    made.partial = [&told](InferenceResponse response, const std::function<void()>& more) {
      add(told, response);
      more();
    };
    const std::uint64_t ticket = dispatcher.submit(std::move(made), [&told](Result<InferenceResponse> result) {
      if (result) {
        add(told, *result);
      }
      told.end = std::move(result);
    });
    settle();
    return ticket;
  }
  static void add(Told& told, const InferenceResponse& response) {
    for (const Tensor& tensor : response.outputs) {
      std::vector<std::int32_t> ids(tensor.data.size() / sizeof(std::int32_t));
      std::memcpy(ids.data(), tensor.data.data(), tensor.data.size());
      told.ids.insert(told.ids.end(), ids.begin(), ids.end());
    }
  }
  void give(std::size_t run, const std::vector<std::int32_t>& ids) {
    worker.runs.at(run).first.partial({.outputs = {tokens(ids)}}, [this] { ++asked; });
  }
  void end(std::size_t run, const std::vector<std::int32_t>& ids) {
    pool::RunOutcome outcome{
        .outputs = {tokens(ids)}, .compute_us = 5000, .finish_reason = "length", .cached_tokens = 2, .mean_rows = 3};
    worker.runs.at(run).second(std::move(outcome));
    settle();
  }
  // Whoever was in it is answered before the pool says that it is gone.
  void lose() {
    for (std::size_t run = answered_runs; run < worker.runs.size(); ++run) {
      worker.runs[run].second(fail(Code::kWorkerLost, "killed"));
    }
    answered_runs = worker.runs.size();
    dispatcher.worker_lost("hs/0", "killed");
    settle();
  }
  [[nodiscard]] std::string scraped() const { return metrics::text(metrics.collect()); }

  ScriptedWorker worker{"hs/0", {Backend::kWasm}};
  std::vector<std::string> lost;
  std::size_t answered_runs = 0;
  int asked = 0;
};

TEST_F(DispatcherGenerationTest, AWorkerHasAsManyAtOnceAsItMakesTogether) {
  std::vector<Told> told(6);
  for (Told& one : told) {
    ask(one);
  }
  EXPECT_EQ(worker.runs.size(), 4U);
  EXPECT_EQ(worker.runs[0].first.generate->max_tokens, 8U);
  end(1, {7});
  EXPECT_EQ(worker.runs.size(), 5U);
  dispatcher.cancel(1);
  settle();
  EXPECT_EQ(worker.runs.size(), 6U);
  EXPECT_EQ(told[0].end->error().code, Code::kCancelled);
}

TEST_F(DispatcherGenerationTest, WhatWasNotToldIsMadeAgainAndTheOthersEnd) {
  Told silent;
  Told begun;
  ask(silent);
  ask(begun);
  give(1, {5});
  lose();
  EXPECT_EQ(begun.end->error().code, Code::kWorkerLost);
  EXPECT_FALSE(silent.end);
  connect();
  ASSERT_EQ(worker.runs.size(), 3U);
  end(2, {5, 6});
  EXPECT_THAT(silent.ids, ElementsAre(5, 6));
  EXPECT_EQ((*silent.end)->attempts, 2U);
}

TEST_F(DispatcherGenerationTest, WhoAsksForItGoesOnWhereItWas) {
  Told told;
  ask(told, true);
  give(0, {5, 6});
  lose();
  EXPECT_FALSE(told.end);
  connect();
  ASSERT_EQ(worker.runs.size(), 2U);
  give(1, {5});
  EXPECT_THAT(told.ids, ElementsAre(5, 6));
  EXPECT_EQ(asked, 2) << "the worker is asked for the next one, nobody else is";
  give(1, {6, 7});
  end(1, {8});
  EXPECT_THAT(told.ids, ElementsAre(5, 6, 7, 8));
  EXPECT_EQ((*told.end)->finish_reason, "length");
}

TEST_F(DispatcherGenerationTest, AnotherAnswerIsNoContinuation) {
  Told other;
  Told shorter;
  ask(other, true);
  ask(shorter, true);
  give(0, {5, 6});
  give(1, {5, 6});
  lose();
  connect();
  ASSERT_EQ(worker.runs.size(), 4U);
  give(2, {5, 9});
  settle();
  ASSERT_TRUE(other.end);
  EXPECT_EQ(other.end->error().code, Code::kWorkerLost);
  EXPECT_THAT(other.ids, ElementsAre(5, 6));
  EXPECT_EQ(worker.cancelled.size(), 1U);
  end(3, {5});
  EXPECT_EQ(shorter.end->error().code, Code::kWorkerLost);
}

TEST_F(DispatcherGenerationTest, TokensAreCounted) {
  Told whole;
  Told cut;
  ask(whole);
  const std::uint64_t ticket = ask(cut);
  give(0, {5, 6});
  give(1, {5});
  end(0, {7});
  dispatcher.cancel(ticket);
  settle();
  const std::string text = scraped();
  EXPECT_THAT(text, HasSubstr("shoal_prompt_tokens_total{model=\"m\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("shoal_generated_tokens_total{model=\"m\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("shoal_cached_prompt_tokens_total{model=\"m\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("shoal_time_to_first_token_seconds_count{backend=\"wasm\",model=\"m\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("shoal_time_per_output_token_seconds_count{backend=\"wasm\",model=\"m\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("shoal_decode_rows_sum{backend=\"wasm\",model=\"m\"} 3\n"));
}

}  // namespace
}  // namespace shoal::dispatch
