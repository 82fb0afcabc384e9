#include "server/dispatch/sequence_gate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <optional>
#include <vector>

#include "tests/server/dispatch/scripted_service.hpp"
#include "tests/server/dispatch/test_model.hpp"

namespace shoal::dispatch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SequenceGateTest : public testing::Test {
 protected:
  SequenceGateTest() { model->scheduling.sequences = {.idle = std::chrono::hours(1), .max_live = 10}; }
  void settle() {
    context.restart();
    context.poll();
  }
  // Its answer's worker or its error's code come to `told`, behind the id.
  std::uint64_t submit(const std::string& name, bool is_first, bool is_last = false, const std::string& id = "7",
                       TimePoint deadline = kNoDeadline) {
    InferenceRequest request;
    request.request_id = name;
    request.model = model;
    request.received = Clock::now();
    request.sequence = SequenceStep{.id = id, .is_first = is_first, .is_last = is_last};
    request.deadline = deadline;
    return gate.submit(std::move(request), [this, name](Result<InferenceResponse> result) {
      told.push_back(name + " " + (result ? result->worker : std::string(code_name(result.error().code))));
    });
  }

  boost::asio::io_context context;
  ScriptedService behind;
  SequenceGate gate{context.get_executor(),
                    behind,
                    {.default_timeout = std::chrono::seconds(30), .max_waiting = 2, .max_waiting_bytes = 100}};
  std::shared_ptr<models::ModelVersion> model = test_model({Backend::kWasm});
  std::vector<std::string> told;
};

TEST_F(SequenceGateTest, OtherModelsPass) {
  model->scheduling.sequences.reset();
  InferenceRequest request;
  request.model = model;
  EXPECT_EQ(gate.submit(std::move(request), [](const auto&) {}), 1U);
  gate.cancel(1);
  EXPECT_THAT(behind.cancelled, ElementsAre(1));
  EXPECT_FALSE(gate.server_ready());
}

TEST_F(SequenceGateTest, StepsGoWhereTheFirstOneRanAndInOrder) {
  submit("a", true);
  submit("b", false);
  ASSERT_EQ(behind.requests.size(), 1U);
  EXPECT_FALSE(behind.requests[0].first.demand.worker);
  EXPECT_NE(behind.requests[0].first.deadline, kNoDeadline);
  behind.answer(0, "echo/1");
  ASSERT_EQ(behind.requests.size(), 2U);
  EXPECT_EQ(behind.requests[1].first.demand.worker, "echo/1");
  EXPECT_EQ(behind.requests[1].first.sequence->number, behind.requests[0].first.sequence->number);
  behind.answer(1, "echo/1");
  EXPECT_THAT(told, ElementsAre("a echo/1", "b echo/1"));
}

TEST_F(SequenceGateTest, WithoutAnIdItIsRefused) {
  submit("a", true, false, "");
  EXPECT_TRUE(told.empty()) << "never from inside submit()";
  settle();
  EXPECT_THAT(told, ElementsAre("a INVALID_ARGUMENT"));
  EXPECT_TRUE(behind.requests.empty());
}

TEST_F(SequenceGateTest, TooManyThatWaitAreRefused) {
  submit("a", true);
  submit("b", false);
  submit("c", false);
  submit("d", false);
  settle();
  EXPECT_THAT(told, ElementsAre("d OVERLOADED"));
}

TEST_F(SequenceGateTest, WhoWaitsIsCancelledHereAndWhoRunsBehind) {
  const std::uint64_t first = submit("a", true);
  const std::uint64_t second = submit("b", false);
  gate.cancel(second);
  gate.cancel(first);
  gate.cancel(first + 100);
  settle();
  EXPECT_THAT(told, ElementsAre("b CANCELLED"));
  EXPECT_THAT(behind.cancelled, ElementsAre(1));
}

TEST_F(SequenceGateTest, ADeadlinePassesWhileOneWaits) {
  submit("a", true);
  submit("b", false, false, "7", Clock::now());
  submit("c", false);
  settle();
  EXPECT_THAT(told, ElementsAre("b DEADLINE_EXCEEDED"));
  behind.answer(0, "echo/0");
  EXPECT_EQ(behind.requests.size(), 2U) << "c is next";
}

TEST_F(SequenceGateTest, WithItsWorkerTheSequenceIsLost) {
  submit("a", true);
  behind.answer(0, "echo/0");
  submit("b", false);
  submit("c", false);
  gate.worker_lost("echo/0");
  settle();
  EXPECT_THAT(behind.cancelled, ElementsAre(2));
  behind.requests[1].second(fail(Code::kCancelled, "cancelled"));
  settle();
  EXPECT_THAT(told, testing::UnorderedElementsAre("a echo/0", "b WORKER_LOST", "c WORKER_LOST"));
  EXPECT_EQ(gate.live(), 0U);
  submit("d", false);
  settle();
  EXPECT_EQ(told.back(), "d INVALID_ARGUMENT");
}

TEST_F(SequenceGateTest, BytesThatWaitAreBounded) {
  submit("a", true);
  std::vector<Code> codes;
  for (const std::size_t size : {std::size_t{90}, std::size_t{20}}) {
    InferenceRequest request;
    request.model = model;
    request.sequence = SequenceStep{.id = "7"};
    request.inputs = {{.name = "x", .datatype = DataType::kUint8, .shape = {}, .data = std::string(size, 'x')}};
    gate.submit(std::move(request), [&codes](const auto& result) { codes.push_back(result.error().code); });
  }
  settle();
  EXPECT_THAT(codes, ElementsAre(Code::kOverloaded)) << "90 and 110 of 100";
}

TEST_F(SequenceGateTest, AnotherWorkerThanTheSequencesIsRefused) {
  submit("a", true);
  behind.answer(0, "echo/0");
  InferenceRequest request;
  request.model = model;
  request.sequence = SequenceStep{.id = "7"};
  request.demand.worker = "echo/1";
  std::optional<Error> error;
  gate.submit(std::move(request), [&error](const auto& result) { error = result.error(); });
  settle();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->param, "shoal_worker");
  EXPECT_THAT(error->message, HasSubstr("echo/0"));
  submit("b", false);
  behind.answer(1, "echo/0");
  EXPECT_EQ(told.back(), "b echo/0") << "the sequence goes on";
}

TEST_F(SequenceGateTest, ADrainLetsStepsThatWaitHaveTheirTurn) {
  submit("a", true);
  submit("b", false);
  bool is_idle = false;
  gate.drain([&is_idle] { is_idle = true; });
  EXPECT_FALSE(gate.server_ready());
  EXPECT_EQ(gate.waiting(), 1U);
  submit("c", false);
  model->scheduling.sequences.reset();
  submit("d", true);
  settle();
  EXPECT_THAT(told, ElementsAre("c UNAVAILABLE", "d UNAVAILABLE"));
  behind.answer(0, "echo/0");
  EXPECT_FALSE(is_idle);
  behind.answer(1, "echo/0");
  EXPECT_TRUE(is_idle);
  EXPECT_THAT(told, ElementsAre("c UNAVAILABLE", "d UNAVAILABLE", "a echo/0", "b echo/0"));
}

TEST_F(SequenceGateTest, WhenTheDrainTakesTooLongNobodyStartsAnyMore) {
  submit("a", true);
  submit("b", false);
  submit("c", true);
  gate.drain([] {});
  gate.abandon({Code::kUnavailable, "late", {}});
  settle();
  EXPECT_THAT(told, testing::UnorderedElementsAre("b UNAVAILABLE", "c UNAVAILABLE"));
  behind.answer(0, "echo/0");
  EXPECT_EQ(behind.requests.size(), 1U);
}

// Whoever is answered may cancel others, whose turn has just come.
TEST_F(SequenceGateTest, AnAnswerMayCancelTheNextOne) {
  std::uint64_t next = 0;
  InferenceRequest request;
  request.model = model;
  request.sequence = SequenceStep{.id = "7", .is_first = true};
  gate.submit(std::move(request), [&](const auto&) { gate.cancel(next); });
  next = submit("b", false);
  behind.answer(0, "echo/0");
  EXPECT_THAT(behind.cancelled, ElementsAre(2)) << "it runs by now";
}

TEST_F(SequenceGateTest, AFirstStepThatFailsAnswersThoseBehindIt) {
  submit("a", true);
  submit("b", false);
  behind.requests[0].second(fail(Code::kOverloaded, "full"));
  settle();
  EXPECT_THAT(told, ElementsAre("a OVERLOADED", "b UNAVAILABLE"));
}

TEST_F(SequenceGateTest, WhoLeavesIsNotReadyAndWhoIsClosedTakesNothing) {
  gate.set_leaving("drained by an operator");
  EXPECT_EQ(gate.server_ready().error().message, "drained by an operator");
  EXPECT_TRUE(gate.model_ready(*model)) << "it takes requests";
  EXPECT_FALSE(gate.is_withheld(*model));
  submit("a", true);
  gate.set_closed("closed by an operator");
  EXPECT_EQ(gate.server_ready().error().message, "closed by an operator");
  EXPECT_EQ(gate.model_ready(*model).error().code, Code::kUnavailable);
  EXPECT_TRUE(gate.is_withheld(*model));
  submit("b", false);
  settle();
  EXPECT_THAT(told, ElementsAre("b UNAVAILABLE"));
  behind.answer(0, "hs/0");
  EXPECT_THAT(told, ElementsAre("b UNAVAILABLE", "a hs/0")) << "what was accepted goes on";
  gate.set_closed({});
  gate.set_leaving({});
  EXPECT_EQ(gate.server_ready().error().message, "not yet") << "what is behind says it";
  submit("c", false);
  EXPECT_EQ(behind.requests.size(), 2U);
}

}  // namespace
}  // namespace shoal::dispatch
