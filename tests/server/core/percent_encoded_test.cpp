#include "server/core/percent_encoded.hpp"

#include <gtest/gtest.h>

namespace shoal {
namespace {

TEST(PercentEncoded, OnlyUnreservedCharactersStay) {
  EXPECT_EQ(percent_encoded("a-Z_0."), "a-Z_0.");
  EXPECT_EQ(percent_encoded("headless_shell/0"), "headless_shell%2F0");
  EXPECT_EQ(percent_encoded("a b?c&d=%~\xC3\xA9"), "a%20b%3Fc%26d%3D%25%7E%C3%A9");
  EXPECT_EQ(percent_encoded(""), "");
}

}  // namespace
}  // namespace shoal
