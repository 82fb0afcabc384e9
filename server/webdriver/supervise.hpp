// `shoal supervise [--remove DIR]... [--display XVFB] [--cpus LIST] -- PROGRAM ARGUMENTS...`: the small process between
// the server and one driver, so that no browser outlives either. It runs PROGRAM, adopts every orphan below it
// (subreaper), and kills the whole tree when PROGRAM ends, when it gets SIGTERM, or when its standard input reaches the
// end: that is a socket whose other end the server holds, so it ends however the server ends. Only in that last case,
// unless a byte came first, DIRs are removed: a server that still lives decides itself. With --display, XVFB runs
// beside PROGRAM and gives it an X display that ends with it, and the other way round; its cookie is in TMPDIR. With
// --cpus
// ("0+1") all of them keep to these CPUs. The lines that it prints
// first: "supervise: display pid N" of XVFB, "supervise: pid N" of PROGRAM.
#pragma once

#include <string_view>

namespace shoal::webdriver {

inline constexpr std::string_view kDisplayLine = "supervise: display pid ";
inline constexpr std::string_view kProgramLine = "supervise: pid ";

// `argv` begins after "supervise". Returns the exit status: PROGRAM's, or 128 + its signal. Runs before any thread is
// made.
int supervise_main(int argc, char** argv);

}  // namespace shoal::webdriver
