// Prompts that begin alike go where that beginning has been read, as far as it pays.
#include "server/schedule/prefixes.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

std::vector<std::int32_t> prompt(std::size_t tokens, std::int32_t first = 0) {
  std::vector<std::int32_t> out(tokens);
  std::iota(out.begin(), out.end(), first);
  return out;
}

TEST(PrefixBlocksTest, WholeBlocksWithAllThatIsBeforeThem) {
  const auto blocks = prefix_blocks(prompt(100), "");
  EXPECT_EQ(blocks.size(), 3U);
  EXPECT_EQ(prefix_blocks(prompt(96), ""), blocks);
  EXPECT_TRUE(prefix_blocks(prompt(31), "").empty());
  auto other = prompt(100);
  other[40] = 7;
  const auto differs = prefix_blocks(other, "");
  EXPECT_EQ(differs[0], blocks[0]);
  EXPECT_NE(differs[1], blocks[1]);
  EXPECT_NE(differs[2], blocks[2]);
  EXPECT_NE(prefix_blocks(prompt(100), "mine")[0], blocks[0]);
  EXPECT_EQ(prefix_blocks(prompt(100'000), "").size(), kMaxBlocks);
}

TEST(PrefixesTest, TheFirstOnesThatAreThere) {
  Prefixes prefixes;
  const auto blocks = prefix_blocks(prompt(128), "");
  EXPECT_EQ(prefixes.matching(blocks), 0U);
  prefixes.add(std::span(blocks).first(2));
  EXPECT_EQ(prefixes.matching(blocks), 2U);
  prefixes.add(blocks);
  EXPECT_EQ(prefixes.matching(blocks), 4U);
  for (std::int32_t turn = 1; turn <= 40; ++turn) {
    prefixes.add(prefix_blocks(prompt(2048, 10'000 * turn), ""));
  }
  EXPECT_EQ(prefixes.matching(blocks), 0U) << "old ones are forgotten";
}

const Candidate kChat{.backend = Backend::kWasm, .instance = "chat@wasm", .together = 4};

class PrefixPlacementTest : public testing::Test {
 protected:
  PrefixPlacementTest() {
    for (const char* slot : {"a/0", "a/1", "a/2"}) {
      scheduler.slot_configured(slot, {Backend::kWasm});
      up(slot);
    }
  }
  void up(const std::string& slot) {
    scheduler.slot_up(slot, {Backend::kWasm}, {});
    scheduler.instance_ready(slot, kChat, {}, now);
  }
  // Where a prompt goes; it ends at once unless it stays.
  std::string placed(const std::vector<std::int32_t>& tokens, bool stays = false) {
    Job job{.id = next++, .candidates = {kChat}, .worker = {}};
    job.deadline = now + std::chrono::seconds(100);
    job.prefix = prefix_blocks(tokens, "");
    job.prefix_units = 10;
    job.length = 50 + static_cast<std::uint32_t>(10 * job.prefix.size());
    const JobId id = job.id;
    EXPECT_TRUE(scheduler.enqueue(std::move(job), now));
    const auto actions = scheduler.step(now);
    EXPECT_EQ(actions.size(), 1U);
    if (!stays) {
      now += std::chrono::milliseconds(100);
      scheduler.finished(id, now);
    }
    return actions.empty() ? "" : actions[0].slot;
  }

  Scheduler scheduler{SchedulerLimits{.ageing = Duration::zero()}};
  TimePoint now{};
  JobId next = 1;
};

TEST_F(PrefixPlacementTest, TheWorkerThatHasReadItGetsTheNextOneThatBeginsAlike) {
  const auto shared = prompt(320);
  const std::string first = placed(shared, true);
  EXPECT_EQ(first, "a/0");
  const std::string second = placed(prompt(320, 5000));
  EXPECT_NE(second, first) << "it has less to do";
  auto longer = shared;
  longer.insert(longer.end(), 40, 9);
  EXPECT_EQ(placed(longer), first) << "most of it has been read there";
  EXPECT_EQ(placed(prompt(320, 5000)), second);
}

TEST_F(PrefixPlacementTest, ButNotWhereThatWouldTakeLonger) {
  const auto shared = prompt(320);
  placed(shared, true);
  placed(shared, true);
  placed(shared, true);
  EXPECT_EQ(placed(shared, true), "a/1") << "three are before it on the first, which has read it";
}

TEST_F(PrefixPlacementTest, ANewBrowserHasReadNothing) {
  const auto shared = prompt(320);
  EXPECT_EQ(placed(shared), "a/0");
  placed(prompt(320, 5000));
  scheduler.slot_down("a/0");
  EXPECT_NE(placed(shared), "a/0");
  up("a/0");
  EXPECT_NE(placed(shared), "a/0") << "another one has by now";
}

}  // namespace
}  // namespace shoal::schedule
