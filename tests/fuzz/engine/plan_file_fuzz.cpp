// Any bytes as a plan: an error in words, or a plan that comes back the same when it is written again.
#include <cstdlib>

#include "engine/graph/plan_file.hpp"
#include "engine/graph/verify.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace shoal;
  const auto plan = graph::read_plan({reinterpret_cast<const std::byte*>(data), size});
  if (!plan) {
    if (plan.error().message.empty()) {
      std::abort();
    }
    return 0;
  }
  const auto file = graph::write_plan(*plan);
  const auto again = graph::read_plan({reinterpret_cast<const std::byte*>(file.data()), file.size()});
  if (!again || again->tensors.size() != plan->tensors.size() || graph::write_plan(*again) != file) {
    std::abort();
  }
  return 0;
}
