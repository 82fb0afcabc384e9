// The shoal binary: one command line, parsed here and carried out in app/commands.cpp.
#include <string_view>

#include "server/app/commands.hpp"
#include "server/webdriver/supervise.hpp"

int main(int argc, char** argv) {
  // Before anything else is made: the supervisor of a driver is this same binary, and stays small.
  if (argc > 1 && std::string_view(argv[1]) == "supervise") {
    return shoal::webdriver::supervise_main(argc - 2, argv + 2);
  }
  return shoal::app::run_command(argc, argv);
}
