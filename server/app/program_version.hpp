// What a program prints for --version. Calling thread; blocks for at most 5 s.
#pragma once

#include <string>

namespace shoal::app {

// The first line, at most 200 bytes; empty when it prints none, fails or does not end in time (it is killed then).
std::string program_version(const std::string& path);

}  // namespace shoal::app
