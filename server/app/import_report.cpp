#include "server/app/import_report.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>

#include "server/app/tables.hpp"

namespace shoal::app {

void ProgressLine::show(const package::Progress& progress) {
  const int percent =
      progress.bytes_total == 0 ? 0 : static_cast<int>(100 * progress.bytes_done / progress.bytes_total);
  if (is_shown_ && percent != percent_) {
    percent_ = percent;
    fmt::print(stderr, "\r\x1b[K{:3} % of {}  {:.60}", percent, bytes_text(progress.bytes_total), progress.tensor);
    std::fflush(stderr);
  }
}

void ProgressLine::end() {
  if (percent_ >= 0) {
    fmt::print(stderr, "\r\x1b[K");
  }
}

std::string import_text(const Imported& made) {
  const package::Variant& variant = *made.description.find(made.variant);
  std::string out;
  for (const package::TensorReport& tensor : variant.tensors) {
    fmt::format_to(std::back_inserter(out), "{:<60} {:<18} {:>10}  error {:.3f} %\n", tensor.name, tensor.format,
                   bytes_text(tensor.bytes), 100 * tensor.relative_error);
  }
  fmt::format_to(std::back_inserter(out), "{} {}: {} of weights, error {:.3f} % (root of squared error over squares)\n",
                 made.description.name, variant.name, bytes_text(variant.weight_bytes), 100 * variant.relative_error);
  if (made.description.default_variant != variant.name) {
    fmt::format_to(std::back_inserter(out), "Served is '{}'; --default serves this one.\n",
                   made.description.default_variant);
  }
  return out + made.folder.string() + "\n";
}

nlohmann::json import_json(const Imported& made) {
  const package::Variant& variant = *made.description.find(made.variant);
  nlohmann::json tensors = nlohmann::json::array();
  for (const package::TensorReport& tensor : variant.tensors) {
    tensors.push_back({{"name", tensor.name},
                       {"format", tensor.format},
                       {"bytes", tensor.bytes},
                       {"relative_error", tensor.relative_error},
                       {"largest_error", tensor.largest_error}});
  }
  return {{"folder", made.folder.string()},
          {"name", made.description.name},
          {"class", package::class_name(made.description.model_class)},
          {"architecture", made.description.architecture},
          {"variant", variant.name},
          {"default_variant", made.description.default_variant},
          {"weight_bytes", variant.weight_bytes},
          {"relative_error", variant.relative_error},
          {"tensors", std::move(tensors)}};
}

}  // namespace shoal::app
