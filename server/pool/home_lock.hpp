// The right to run browsers below one SHOAL_HOME, held as long as this lives: two servers on one home would kill each
// other's browsers.
#pragma once

#include <string>

#include "engine/core/result.hpp"

namespace shoal::pool {

class HomeLock {
 public:
  HomeLock() = default;
  HomeLock(const HomeLock&) = delete;
  HomeLock& operator=(const HomeLock&) = delete;
  ~HomeLock();

  // Makes the folder. kInvalidArgument: it cannot be written to, or another server holds it.
  Status take(const std::string& home);

 private:
  int descriptor_ = -1;
};

}  // namespace shoal::pool
