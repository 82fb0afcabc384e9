#include "server/core/cpu_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace shoal {
namespace {

using testing::ElementsAre;

TEST(CpuList, ReadsNumbersAndRanges) {
  EXPECT_THAT(*parse_cpu_list("3"), ElementsAre(3));
  EXPECT_THAT(*parse_cpu_list("6+0-2,2"), ElementsAre(0, 1, 2, 6));
  EXPECT_EQ(cpu_list_text(*parse_cpu_list("0-2")), "0+1+2");
  for (const char* text : {"", "a", "3-1", "0-", "-1", "1024", "1++2", "0-4294967296"}) {
    const auto cpus = parse_cpu_list(text);
    ASSERT_FALSE(cpus) << text;
    EXPECT_EQ(cpus.error().code, Code::kInvalidArgument);
  }
}

TEST(CpuList, EqualParts) {
  const CpuList cpus = {0, 1, 4, 5, 6};
  EXPECT_THAT(part_of(cpus, 0, 2), ElementsAre(0, 1));
  EXPECT_THAT(part_of(cpus, 1, 2), ElementsAre(4, 5));
  EXPECT_THAT(part_of(cpus, 0, 6), ElementsAre());
}

TEST(CpuList, TheKernelIsAskedAndTold) {
  const CpuList allowed = allowed_cpus();
  ASSERT_FALSE(allowed.empty());
  // In a thread of its own: pinning is of the calling thread.
  std::thread([&] {
    EXPECT_TRUE(pin_to({allowed.front()}));
    EXPECT_THAT(allowed_cpus(), ElementsAre(allowed.front()));
    EXPECT_EQ(pin_to({}).error().param, "cpus");
  }).join();
  EXPECT_EQ(allowed_cpus(), allowed);
}

}  // namespace
}  // namespace shoal
