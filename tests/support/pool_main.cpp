// main() of the pool's test binary, which is also its own supervisor and its own fake driver.
#include <gtest/gtest.h>

#include <string_view>

#include "server/webdriver/supervise.hpp"
#include "tests/support/fake_browser.hpp"

int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "supervise") {
    return shoal::webdriver::supervise_main(argc - 2, argv + 2);
  }
  if (first == "--port=0") {
    return shoal::testing_support::fake_driver_main();
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
