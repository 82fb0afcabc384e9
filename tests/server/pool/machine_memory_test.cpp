#include "server/pool/machine_memory.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace shoal::pool {
namespace {

namespace fs = std::filesystem;

class MachineMemoryTest : public testing::Test {
 protected:
  MachineMemoryTest() { write("proc/meminfo", "MemFree: 1 kB\nMemTotal:       2048 kB\n"); }
  ~MachineMemoryTest() override { fs::remove_all(root_); }
  void write(const fs::path& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  const fs::path root_ = fs::path(testing::TempDir()) / ("shoal_memory_" + std::to_string(getpid()));
};

TEST_F(MachineMemoryTest, TheMachinesWithoutAControlGroup) { EXPECT_EQ(memory_limit(root_), 2048U * 1024); }

TEST_F(MachineMemoryTest, TheLeastOfTheUnifiedHierarchy) {
  write("proc/self/cgroup", "0::/pod/server\n");
  write("sys/fs/cgroup/pod/server/memory.max", "max\n");
  write("sys/fs/cgroup/pod/memory.max", "1000000\n");
  EXPECT_EQ(memory_limit(root_), 1'000'000U);
  write("sys/fs/cgroup/pod/server/memory.max", "900000\n");
  EXPECT_EQ(memory_limit(root_), 900'000U);
}

TEST_F(MachineMemoryTest, InAContainerTheGroupsPathMayNotBeThere) {
  write("proc/self/cgroup", "0::/../outside\n");
  write("sys/fs/cgroup/memory.max", "800000\n");
  EXPECT_EQ(memory_limit(root_), 800'000U);
}

TEST_F(MachineMemoryTest, TheOlderHierarchy) {
  write("proc/self/cgroup", "9:cpu,cpuacct:/a\n5:memory:/a\n");
  write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "700000\n");
  EXPECT_EQ(memory_limit(root_), 700'000U);
}

TEST_F(MachineMemoryTest, ALimitAboveTheMachinesMemoryIsNone) {
  write("proc/self/cgroup", "5:memory:/\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(memory_limit(root_), 2048U * 1024);
}

TEST_F(MachineMemoryTest, NothingReadableIsNoLimit) {
  fs::remove_all(root_);
  EXPECT_EQ(memory_limit(root_), 0U);
}

TEST(DefaultBudget, AFifthStaysForEverythingElse) {
  EXPECT_EQ(default_total(1000), 800U);
  EXPECT_EQ(default_budget(default_total(1000), 2), 400U);
  EXPECT_EQ(default_budget(1000, 0), 0U);
  EXPECT_EQ(default_budget(0, 3), 0U);
}

}  // namespace
}  // namespace shoal::pool
