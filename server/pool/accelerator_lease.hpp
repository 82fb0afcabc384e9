// Who has the machine's accelerators, where only one browser at a time may: webgpu and webnn, each by itself. A browser
// is named by its first slot, and has them with all of its tabs. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/core/backend.hpp"

namespace shoal::pool {

class AcceleratorLease {
 public:
  // Not exclusive: everybody has all that they want.
  explicit AcceleratorLease(bool is_exclusive) : is_exclusive_(is_exclusive) {}

  // Those of `wanted` that the browser may use: it has from now on what was free. Idempotent.
  std::vector<Backend> take(const std::string& browser, const std::vector<Backend>& wanted);
  // It has gone for good, or for long.
  void give_up(const std::string& browser);
  // It turned out that it has no use of that one.
  void give_up(const std::string& browser, Backend backend);

  // Whether another browser has it.
  [[nodiscard]] bool is_denied(const std::string& browser, Backend backend) const;
  [[nodiscard]] std::string holder(Backend backend) const;  // empty: nobody

 private:
  bool is_exclusive_;
  std::map<Backend, std::string> holders_;
};

}  // namespace shoal::pool
