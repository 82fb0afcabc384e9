// SHOAL_CHECK: a condition that only a bug in this program can break; always on, ends the process with the place and
// the message. Never for what input can cause: that is a Result.
#pragma once

#include <cstdio>
#include <cstdlib>

#define SHOAL_CHECK(condition, message)                                                                 \
  do {                                                                                                  \
    if (!(condition)) {                                                                                 \
      std::fprintf(stderr, "%s:%d: check failed: %s: %s\n", __FILE__, __LINE__, #condition, (message)); \
      std::abort();                                                                                     \
    }                                                                                                   \
  } while (false)
