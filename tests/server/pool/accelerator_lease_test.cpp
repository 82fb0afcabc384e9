#include "server/pool/accelerator_lease.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

namespace shoal::pool {
namespace {

const std::vector<Backend> kAll = {Backend::kWasm, Backend::kWebgpu, Backend::kWebnn};

TEST(AcceleratorLease, SharedGivesEverybodyWhatTheyWant) {
  AcceleratorLease lease(false);
  EXPECT_EQ(lease.take("a/0", kAll), kAll);
  EXPECT_EQ(lease.take("a/1", kAll), kAll);
  EXPECT_EQ(lease.holder(Backend::kWebgpu), "");
  EXPECT_FALSE(lease.is_denied("a/1", Backend::kWebgpu));
}

TEST(AcceleratorLease, ExclusiveGivesEachToOneUntilItGivesThemUp) {
  AcceleratorLease lease(true);
  EXPECT_EQ(lease.take("a/0", {Backend::kWasm, Backend::kWebgpu}), (std::vector{Backend::kWasm, Backend::kWebgpu}));
  EXPECT_EQ(lease.take("a/1", kAll), (std::vector{Backend::kWasm, Backend::kWebnn}));
  EXPECT_EQ(lease.take("a/0", kAll), (std::vector{Backend::kWasm, Backend::kWebgpu})) << "as before";
  EXPECT_EQ(lease.holder(Backend::kWebgpu), "a/0");
  EXPECT_TRUE(lease.is_denied("a/1", Backend::kWebgpu));
  lease.give_up("a/0");
  lease.give_up("a/0");
  EXPECT_FALSE(lease.is_denied("a/1", Backend::kWebgpu));
  EXPECT_EQ(lease.take("a/1", kAll), kAll);
  EXPECT_EQ(lease.take("a/0", kAll), std::vector{Backend::kWasm});
}

TEST(AcceleratorLease, OneThatIsOfNoUseIsForOthers) {
  AcceleratorLease lease(true);
  lease.take("a/0", kAll);
  lease.give_up("a/1", Backend::kWebgpu);
  EXPECT_EQ(lease.holder(Backend::kWebgpu), "a/0") << "it is not its to give up";
  lease.give_up("a/0", Backend::kWebgpu);
  EXPECT_EQ(lease.holder(Backend::kWebgpu), "");
  EXPECT_EQ(lease.holder(Backend::kWebnn), "a/0");
}

TEST(AcceleratorLease, NobodyEverHasWhatAnotherHas) {
  std::mt19937 random(20261121);
  AcceleratorLease lease(true);
  std::map<std::string, std::vector<Backend>> has;
  for (int step = 0; step < 20000; ++step) {
    const std::string browser = "a/" + std::to_string(random() % 4);
    if (random() % 3 == 0) {
      lease.give_up(browser);
      has.erase(browser);
    } else {
      has[browser] = lease.take(browser, kAll);
    }
    for (const Backend backend : {Backend::kWebgpu, Backend::kWebnn}) {
      const auto holders = std::ranges::count_if(
          has, [backend](const auto& one) { return std::ranges::find(one.second, backend) != one.second.end(); });
      ASSERT_LE(holders, 1);
      ASSERT_EQ(holders == 0, lease.holder(backend).empty());
    }
  }
}

}  // namespace
}  // namespace shoal::pool
