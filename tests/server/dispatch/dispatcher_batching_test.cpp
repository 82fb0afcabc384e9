// Requests that the dispatcher joins into one run: what is sent, who is answered with what, and what a failure does.
#include <array>
#include <optional>

#include "tests/server/dispatch/dispatcher_fixture.hpp"

namespace shoal::dispatch {
namespace {

using Answer = std::optional<Result<InferenceResponse>>;

class BatchingDispatcherTest : public DispatcherFixture {
 protected:
  BatchingDispatcherTest() : DispatcherFixture({.limits = {.max_in_flight = 1}, .poison = {}, .spot_check = {}}) {
    model->scheduling.max_rows = 8;
    model->scheduling.is_configured = true;
    dispatcher.set_recycle([](const std::string&, const std::string&) {});
    dispatcher.worker_ready(worker);
    worker.loads.at(0).second(pool::LoadOutcome{});
  }
  // The first request keeps the engine busy, so that the others wait together.
  void submit(std::size_t count) {
    for (std::size_t index = 0; index < count; ++index) {
      tickets.push_back(dispatcher.submit(request({}), [this, index](Result<InferenceResponse> result) {
        EXPECT_FALSE(answers.at(index)) << "answered twice";
        answers.at(index) = std::move(result);
      }));
    }
  }
  // Rows of two; each one's output holds its number.
  static pool::RunOutcome outcome(std::int64_t rows) {
    Tensor output{"y", DataType::kFp32, {rows, 3, 2}, {}};
    for (std::int64_t row = 0; row < rows; ++row) {
      output.data += std::string(3 * 2 * 4, static_cast<char>('0' + row));
    }
    return {{std::move(output)}, 700, 50};
  }
  void finish(std::size_t run, std::int64_t rows) { worker.runs.at(run).second(outcome(rows)); }

  ScriptedWorker worker{"hs/0", {Backend::kWasm}};
  std::array<Answer, 8> answers;
  std::vector<std::uint64_t> tickets;
  const Statistics::key_type key{"m", 1};
};

TEST_F(BatchingDispatcherTest, OneRunManyAnswersAndTrueCounts) {
  submit(4);
  ASSERT_EQ(worker.runs.size(), 1U);
  finish(0, 2);
  ASSERT_EQ(worker.runs.size(), 2U);
  EXPECT_EQ(worker.runs[1].first.inputs->at(0).shape, (Shape{6, 3}));
  EXPECT_EQ(worker.runs[1].first.inputs->at(0).data.size(), 6U * 3 * 4);
  finish(1, 6);
  settle();
  for (std::size_t index = 1; index < 4; ++index) {
    ASSERT_TRUE(answers[index] && *answers[index]);
    const Tensor& output = (*answers[index])->outputs.at(0);
    EXPECT_EQ(output.shape, (Shape{2, 3, 2}));
    EXPECT_EQ(output.data.front(), static_cast<char>('0' + 2 * (index - 1)));
    EXPECT_EQ(output.data.back(), static_cast<char>('1' + 2 * (index - 1)));
    EXPECT_EQ((*answers[index])->attempts, 1U);
  }
  const ModelStatistics& statistics = dispatcher.statistics().at(key);
  EXPECT_EQ(statistics.success.count, 4U);
  EXPECT_EQ(statistics.inference_count, 8U);
  EXPECT_EQ(statistics.execution_count, 2U);
  EXPECT_EQ(statistics.batches.at(2).compute_infer.count, 1U);
  EXPECT_EQ(statistics.batches.at(6).compute_infer.count, 1U);
  EXPECT_EQ(statistics.batches.at(6).compute_infer.ns, 700'000U);
  EXPECT_EQ(statistics.pending, 0U);
}

TEST_F(BatchingDispatcherTest, OneThatIsCancelledDoesNotHurtTheOthers) {
  submit(4);
  finish(0, 2);
  dispatcher.cancel(tickets[1]);
  EXPECT_TRUE(worker.cancelled.empty()) << "others are in the run";
  finish(1, 6);
  settle();
  EXPECT_EQ(answers[1]->error().code, Code::kCancelled);
  ASSERT_TRUE(answers[2] && *answers[2]);
  EXPECT_EQ((*answers[2])->outputs.at(0).data.front(), '2') << "its own rows";
  EXPECT_EQ(dispatcher.open_requests(), 0U);
}

TEST_F(BatchingDispatcherTest, TheLastOneToLeaveCancelsTheRun) {
  submit(3);
  finish(0, 2);
  dispatcher.cancel(tickets[1]);
  dispatcher.cancel(tickets[2]);
  EXPECT_EQ(worker.cancelled.size(), 1U);
  worker.runs[1].second(fail(Code::kCancelled, "cancelled"));
  settle();
  EXPECT_EQ(dispatcher.open_requests(), 0U);
  EXPECT_EQ(dispatcher.statistics().at(key).pending, 0U);
}

TEST_F(BatchingDispatcherTest, AnErrorThatOneMayHaveCausedIsTriedOneByOne) {
  submit(3);
  finish(0, 2);
  worker.runs[1].second(fail(Code::kInvalidArgument, "index 900 is out of range"));
  ASSERT_EQ(worker.runs.size(), 3U);
  EXPECT_EQ(worker.runs[2].first.inputs->at(0).shape, (Shape{2, 3}));
  worker.runs[2].second(fail(Code::kInvalidArgument, "index 900 is out of range"));
  ASSERT_EQ(worker.runs.size(), 4U);
  finish(3, 2);
  settle();
  EXPECT_EQ(answers[1]->error().code, Code::kInvalidArgument);
  ASSERT_TRUE(*answers[2]);
  EXPECT_EQ((*answers[2])->attempts, 1U);
  EXPECT_EQ(dispatcher.statistics().at(key).execution_count, 4U);
  EXPECT_EQ(dispatcher.statistics().at(key).pending, 0U);
}

TEST_F(BatchingDispatcherTest, OutputsWithoutARowEachAreTriedOneByOne) {
  submit(3);
  finish(0, 2);
  finish(1, 1);
  ASSERT_EQ(worker.runs.size(), 3U);
  finish(2, 2);
  finish(3, 2);
  settle();
  EXPECT_TRUE(*answers[1]);
  EXPECT_TRUE(*answers[2]);
}

TEST_F(BatchingDispatcherTest, ALostWorkersBatchIsSentAgainOneByOne) {
  submit(3);
  finish(0, 2);
  worker.runs[1].second(fail(Code::kWorkerLost, "killed"));
  dispatcher.worker_lost("hs/0", "killed");
  ScriptedWorker next("hs/0", {Backend::kWasm});
  dispatcher.worker_ready(next);
  next.loads.at(0).second(pool::LoadOutcome{});
  for (std::size_t run = 0; run < 2; ++run) {
    ASSERT_EQ(next.runs.size(), run + 1) << "whose loss it was is told by the next one";
    EXPECT_EQ(next.runs[run].first.inputs->at(0).shape, (Shape{2, 3}));
    next.runs[run].second(outcome(2));
  }
  settle();
  ASSERT_TRUE(*answers[1] && *answers[2]);
  EXPECT_EQ((*answers[1])->attempts, 2U);
  EXPECT_EQ(dispatcher.open_requests(), 0U);
}

}  // namespace
}  // namespace shoal::dispatch
