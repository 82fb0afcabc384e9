#include "server/core/split.hpp"

#include <gtest/gtest.h>

namespace shoal {
namespace {

using Parts = std::vector<std::string_view>;

TEST(Split, OnePartMoreThanSeparators) {
  EXPECT_EQ(split("", ','), Parts({""}));
  EXPECT_EQ(split("a", ','), Parts({"a"}));
  EXPECT_EQ(split("a,b", ','), Parts({"a", "b"}));
  EXPECT_EQ(split(",a,", ','), Parts({"", "a", ""}));
}

}  // namespace
}  // namespace shoal
