// main() of a test binary that is also its own `supervise` program, as the server is.
#include <gtest/gtest.h>

#include <string_view>

#include "server/webdriver/supervise.hpp"

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "supervise") {
    return shoal::webdriver::supervise_main(argc - 2, argv + 2);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
