// The commands of the shoal binary. Main thread.
#pragma once

namespace shoal::app {

// Returns the exit status: 0, 1 when the command failed, 2 when the command line or configuration is wrong (the message
// stands last on stderr).
int run_command(int argc, char** argv);

}  // namespace shoal::app
