// The options by which `shoal import` and `shoal estimate` say how weights are stored.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/quantize/precision.hpp"

namespace shoal::app {

struct PrecisionOptions {
  std::uint32_t bits = 8;
  std::uint32_t block = 0;  // 0: chosen by the size of the model
  bool is_mixed = false;
  std::string scheme = "asymmetric";
  std::vector<std::string> keep;

  void add_to(CLI::App& command);
  // kInvalidArgument names the option.
  [[nodiscard]] Result<quantize::PrecisionRequest> request() const;
};

}  // namespace shoal::app
