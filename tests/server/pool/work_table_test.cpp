#include "server/pool/work_table.hpp"

#include <gtest/gtest.h>

namespace shoal::pool {
namespace {

agent::v1::Tensor fp32(const std::string& name, std::uint64_t count) {
  agent::v1::Tensor tensor;
  tensor.set_name(name);
  tensor.set_datatype(agent::v1::FP32);
  tensor.add_shape(count);
  tensor.set_byte_size(count * 4);
  return tensor;
}

class WorkTableTest : public ::testing::Test {
 protected:
  void add_run(std::uint64_t work_id) {
    table.add_run(work_id, "wasm", kNoDeadline,
                  [this](Result<RunOutcome> outcome) { ran.push_back(std::move(outcome)); });
  }
  agent::v1::Output output(std::initializer_list<agent::v1::Tensor> tensors) {
    agent::v1::Output message;
    for (const auto& tensor : tensors) {
      *message.add_tensors() = tensor;
    }
    return message;
  }
  void finish(std::uint64_t work_id) {
    agent::v1::End end;
    end.set_compute_us(5);
    const auto answer = table.end(work_id, end);
    ASSERT_TRUE(answer) << answer.error().message;
    (*answer)();
  }

  WorkTable table{1000};
  std::vector<Result<RunOutcome>> ran;
};

TEST_F(WorkTableTest, OutputsArePutTogetherFromTheirChunks) {
  add_run(1);
  ASSERT_TRUE(table.output(1, output({fp32("a", 1), fp32("empty", 0), fp32("b", 2)}), "1234x"));
  ASSERT_TRUE(table.chunk(1, "yz"));
  ASSERT_TRUE(table.chunk(1, "XYZ12"));
  finish(1);
  ASSERT_EQ(ran.size(), 1U);
  ASSERT_TRUE(ran[0]);
  ASSERT_EQ(ran[0]->outputs.size(), 3U);
  EXPECT_EQ(ran[0]->outputs[0].data, "1234");
  EXPECT_EQ(ran[0]->outputs[1].data, "");
  EXPECT_EQ(ran[0]->outputs[2].data, "xyzXYZ12");
  EXPECT_EQ(ran[0]->compute_us, 5U);
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(WorkTableTest, SeveralOutputsFollowEachOther) {
  add_run(1);
  ASSERT_TRUE(table.output(1, output({fp32("a", 1)}), "1234"));
  ASSERT_TRUE(table.output(1, output({fp32("b", 1)}), ""));
  EXPECT_FALSE(table.output(1, output({fp32("c", 1)}), ""));
  ASSERT_TRUE(table.chunk(1, "5678"));
  finish(1);
  ASSERT_EQ(ran.size(), 1U);
  EXPECT_EQ(ran[0]->outputs.size(), 2U);
}

TEST_F(WorkTableTest, BreachesOfTheProtocolAreErrors) {
  add_run(1);
  table.add_unload(2, kNoDeadline);
  EXPECT_FALSE(table.output(99, output({}), ""));
  EXPECT_FALSE(table.output(2, output({}), ""));
  EXPECT_FALSE(table.chunk(1, "bytes of nothing"));
  EXPECT_FALSE(table.output(1, output({fp32("a", 1)}), "12345"));
  EXPECT_FALSE(table.end(99, {}));
  EXPECT_FALSE(table.error(99, {}));
}

TEST_F(WorkTableTest, AnEndInsideAnOutputIsABreach) {
  add_run(1);
  ASSERT_TRUE(table.output(1, output({fp32("a", 2)}), "1234"));
  EXPECT_FALSE(table.end(1, {}));
  EXPECT_TRUE(ran.empty());
  for (const auto& answer : table.fail_all({Code::kWorkerLost, "gone", {}})) {
    answer();
  }
  ASSERT_EQ(ran.size(), 1U);
  EXPECT_EQ(ran[0].error().code, Code::kWorkerLost);
}

TEST_F(WorkTableTest, OutputsAreBounded) {
  add_run(1);
  EXPECT_TRUE(table.output(1, output({fp32("a", 250)}), std::string(1000, 'x')));
  EXPECT_FALSE(table.output(1, output({fp32("b", 1)}), ""));
  add_run(2);
  EXPECT_FALSE(table.output(2, output({fp32("a", 1ULL << 38)}), ""));
}

TEST_F(WorkTableTest, TheElementsOfBytesAreCounted) {
  agent::v1::Tensor text;
  text.set_name("t");
  text.set_datatype(agent::v1::BYTES);
  text.add_shape(2);
  const std::string two("\1\0\0\0a\0\0\0\0", 9);
  text.set_byte_size(two.size());
  add_run(1);
  ASSERT_TRUE(table.output(1, output({text}), two));
  finish(1);
  add_run(2);
  text.set_shape(0, 3);
  ASSERT_TRUE(table.output(2, output({text}), two));
  EXPECT_FALSE(table.end(2, {}));
}

TEST_F(WorkTableTest, LoadsAnswerWithWhatTheAgentReports) {
  std::optional<Result<LoadOutcome>> loaded;
  table.add_load(3, "webgpu", kNoDeadline, [&loaded](Result<LoadOutcome> outcome) { loaded = std::move(outcome); });
  agent::v1::End end;
  (*end.mutable_loaded()->mutable_nodes())["webgpu"] = 12;
  end.mutable_loaded()->add_heavy_elsewhere("MatMul /a on wasm");
  end.mutable_loaded()->set_from_cache(true);
  const auto answer = table.end(3, end);
  ASSERT_TRUE(answer);
  (*answer)();
  ASSERT_TRUE(loaded && *loaded);
  EXPECT_EQ((*loaded)->nodes.at("webgpu"), 12U);
  EXPECT_EQ((*loaded)->heavy_elsewhere.size(), 1U);
  EXPECT_TRUE((*loaded)->from_cache);
}

TEST_F(WorkTableTest, ErrorsOfTheAgentReachTheCompletion) {
  add_run(1);
  agent::v1::Error message;
  message.set_code(core::v1::DEVICE_LOST);
  message.set_message("the device went away");
  const auto answer = table.error(1, message);
  ASSERT_TRUE(answer);
  (*answer)();
  ASSERT_EQ(ran.size(), 1U);
  EXPECT_EQ(ran[0].error().code, Code::kDeviceLost);
  EXPECT_FALSE(table.error(1, message));
}

TEST_F(WorkTableTest, RunsThatWereGivenUpAreAnsweredOnceAndWhatTheAgentSaysIsDropped) {
  add_run(1);
  add_run(2);
  ASSERT_TRUE(table.output(1, output({fp32("a", 2)}), "1234"));
  const WorkTable::GivenUp given_up = table.give_up_runs({Code::kDeviceLost, "it pauses", {}});
  EXPECT_EQ(given_up.work_ids, (std::vector<std::uint64_t>{1, 2}));
  for (const auto& answer : given_up.answers) {
    answer();
  }
  ASSERT_EQ(ran.size(), 2U);
  EXPECT_EQ(ran[0].error().code, Code::kDeviceLost);
  EXPECT_EQ(table.size(), 2U) << "the agent still has them";
  ASSERT_TRUE(table.chunk(1, "5678"));
  finish(1);
  EXPECT_TRUE(table.error(2, {}));
  EXPECT_EQ(ran.size(), 2U);
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(WorkTableTest, FailOneTakesItOut) {
  add_run(1);
  table.fail_one(1, {Code::kCancelled, "c", {}})();
  table.fail_one(1, {Code::kCancelled, "c", {}})();
  ASSERT_EQ(ran.size(), 1U);
  EXPECT_EQ(ran[0].error().code, Code::kCancelled);
  EXPECT_EQ(table.in_hand().size(), 0U);
}

TEST_F(WorkTableTest, OnAnotherConnectionHalfAnOutputIsNoneAndTheRequestsAreThere) {
  add_run(1);
  agent::v1::Envelope run;
  run.set_work_id(1);
  table.keep(1, {.envelope = run});
  add_run(2);
  table.keep(2, {.envelope = run});
  table.cancelled(2);
  ASSERT_TRUE(table.output(1, output({fp32("a", 2)}), "1234"));
  const auto requests = table.restart();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0]->envelope.work_id(), 1U);
  EXPECT_FALSE(requests[0]->is_cancelled);
  EXPECT_TRUE(requests[1]->is_cancelled);
  ASSERT_TRUE(table.output(1, output({fp32("a", 2)}), "12345678"));
  finish(1);
  ASSERT_EQ(ran.size(), 1U);
  EXPECT_EQ(ran[0]->outputs.at(0).data, "12345678");
}

struct Reader {
  std::vector<std::string> told;
  int asked = 0;
};

TEST_F(WorkTableTest, AStreamIsToldPieceByPieceAsItsReaderAsks) {
  add_run(1);
  Reader reader;
  table.stream(
      1,
      [&](RunOutcome outcome, const std::function<void()>& more) {
        reader.told.push_back(outcome.outputs.at(0).data);
        more();
      },
      [&] { ++reader.asked; });
  (*table.output(1, output({fp32("t", 1)}), "aaaa"))();
  EXPECT_EQ(reader.told, (std::vector<std::string>{"aaaa"}));
  EXPECT_EQ(reader.asked, 1);
  // The reader has not come back by go_on(): what comes meanwhile waits, and is told at once.
  (*table.output(1, output({fp32("t", 1)}), "bb"))();
  (*table.chunk(1, "bb"))();
  (*table.output(1, output({fp32("t", 1)}), "cccc"))();
  EXPECT_EQ(reader.told.size(), 1U);
  table.go_on(1)();
  EXPECT_EQ(reader.told.back(), "bbbbcccc");
  table.go_on(1)();
  EXPECT_EQ(reader.told.size(), 2U);
  (*table.output(1, output({fp32("t", 1)}), "dddd"))();
  (*table.output(1, output({fp32("t", 1)}), "eeee"))();
  agent::v1::End end;
  end.set_finish_reason("length");
  end.set_prefill_us(7);
  (*table.end(1, end))();
  ASSERT_EQ(ran.size(), 1U);
  EXPECT_EQ(ran[0]->outputs.at(0).data, "eeee");
  EXPECT_EQ(ran[0]->finish_reason, "length");
  EXPECT_EQ(ran[0]->prefill_us, 7U);
  table.go_on(1)();
}

TEST_F(WorkTableTest, AStreamThatIsToldAgainGoesOnWhereItWas) {
  add_run(1);
  std::string told;
  table.stream(1, [&](RunOutcome outcome, const std::function<void()>&) { told += outcome.outputs.at(0).data; }, [] {});
  (*table.output(1, output({fp32("t", 2)}), "aaaabbbb"))();
  ASSERT_TRUE(table.output(1, output({fp32("t", 1)}), "c"));
  table.restart();
  table.go_on(1)();
  (*table.output(1, output({fp32("t", 3)}), "aaaabbbbcccc"))();
  EXPECT_EQ(told, "aaaabbbbcccc");
  finish(1);
  EXPECT_TRUE(ran[0]->outputs.empty());
}

TEST_F(WorkTableTest, AStreamWhoseReaderIsTooSlowIsGivenUpOnce) {
  add_run(1);
  table.stream(1, [](RunOutcome, const std::function<void()>&) {}, [] {});
  (*table.output(1, output({fp32("t", 1)}), "aaaa"))();
  table.give_up(1, {Code::kResourceLimit, "slow", {}})();
  ASSERT_EQ(ran.size(), 1U);
  EXPECT_EQ(ran[0].error().code, Code::kResourceLimit);
  table.give_up(1, {Code::kResourceLimit, "slow", {}})();
  (*table.output(1, output({fp32("t", 1)}), "bbbb"))();
  finish(1);
  EXPECT_EQ(ran.size(), 1U);
}

}  // namespace
}  // namespace shoal::pool
