// An X display of one process tree's own (Xvfb), for a browser that has no headless mode. Only programs that get its
// cookie may use it. Called by `shoal supervise`, before and after the program: nothing here is thread-safe.
#pragma once

#include <sys/types.h>

#include <string>

#include "engine/core/result.hpp"

namespace shoal::webdriver {

struct Display {
  pid_t server = 0;  // a child of this process
  std::string name;  // ":7", free when it was asked for
};

// Starts `program` and waits until it serves; sets DISPLAY and XAUTHORITY of this process. The cookie's file is made in
// `folder`. kUnavailable with what went wrong; then no child is left.
Result<Display> start_display(const std::string& program, const std::string& folder);

// Removes its socket's file, which a killed server leaves. To be called while it still runs: afterwards the number may
// be somebody else's.
void unlink_display(const Display& display);

}  // namespace shoal::webdriver
