#include "server/app/thread_pool.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace shoal::app {
namespace {

TEST(ThreadPool, EveryTaskRunsOnceOnALaneThatThereIs) {
  for (const std::uint32_t lanes : {1U, 2U, 5U}) {
    ThreadPool pool(lanes);
    EXPECT_EQ(pool.lanes(), lanes);
    for (const std::uint32_t count : {0U, 1U, 3U, 1000U}) {
      std::vector<int> runs(count);
      std::atomic<bool> is_lane = true;
      auto task = [&](std::uint32_t index, std::uint32_t lane) {
        ++runs[index];
        is_lane = is_lane && lane < lanes;
      };
      pool.run(count, TaskRef(task));
      EXPECT_EQ(runs, std::vector<int>(count, 1));
      EXPECT_TRUE(is_lane);
    }
  }
}

TEST(ThreadPool, ManyShortRunsOneAfterTheOther) {
  ThreadPool pool(3);
  std::atomic<std::uint64_t> sum = 0;
  for (std::uint32_t run = 0; run < 2000; ++run) {
    auto task = [&](std::uint32_t index, std::uint32_t) { sum += index; };
    pool.run(4, TaskRef(task));
  }
  EXPECT_EQ(sum, 2000U * 6);
}

}  // namespace
}  // namespace shoal::app
