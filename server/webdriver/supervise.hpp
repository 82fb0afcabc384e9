// `shoal supervise [--remove DIR]... -- PROGRAM ARGUMENTS...`: the small process between the server and one driver, so
// that no browser outlives either. It runs PROGRAM, adopts every orphan below it (subreaper), and kills the whole tree
// when PROGRAM ends, when it gets SIGTERM, or when its standard input reaches the end: that is a socket whose other end
// the server holds, so it ends however the server ends. Only in that last case, unless a byte came first, DIRs are
// removed: a server that still lives decides itself. Its first line on standard output is "supervise: pid N" of
// PROGRAM.
#pragma once

namespace shoal::webdriver {

// `argv` begins after "supervise". Returns the exit status: PROGRAM's, or 128 + its signal. Runs before any thread is
// made.
int supervise_main(int argc, char** argv);

}  // namespace shoal::webdriver
