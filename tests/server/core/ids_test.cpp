#include "server/core/ids.hpp"

#include <gtest/gtest.h>

#include <set>

namespace shoal {
namespace {

TEST(Ids, UuidV7HasVersionVariantAndOrder) {
  const std::string first = uuid_v7();
  EXPECT_EQ(first.size(), 36U);
  EXPECT_EQ(first[14], '7');
  EXPECT_NE(std::string("89ab").find(first[19]), std::string::npos);
  std::set<std::string> seen;
  for (int round = 0; round < 1000; ++round) {
    seen.insert(uuid_v7());
  }
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_GE(uuid_v7().substr(0, 8), first.substr(0, 8));
}

TEST(Ids, Sha256OfTheStandardVector) {
  EXPECT_EQ(sha256_hex("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Ids, RandomHexHasTheLengthAskedFor) {
  EXPECT_EQ(random_hex(16).size(), 32U);
  EXPECT_NE(random_hex(16), random_hex(16));
}

}  // namespace
}  // namespace shoal
