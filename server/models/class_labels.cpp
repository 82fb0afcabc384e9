#include "server/models/class_labels.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "inference/model_config.pb.h"
#include "server/models/read_file.hpp"

namespace shoal::models {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    lines.emplace_back(line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

}  // namespace

Result<ClassLabels> read_class_labels(const std::filesystem::path& model_folder, const inference::ModelConfig& config) {
  ClassLabels labels;
  for (const auto& output : config.output()) {
    const std::string& file = output.label_filename();
    if (file.empty()) {
      continue;
    }
    const std::string where = fmt::format("output '{}': label_filename", output.name());
    if (!is_plain_name(file)) {
      return fail(Code::kInvalidArgument, fmt::format("{}: '{}' is not a plain file name", where, file));
    }
    const auto text = read_file(model_folder / file, kMaxLabelBytes);
    if (!text) {
      return fail(Error(text.error()).with(where));
    }
    labels.emplace(output.name(), lines_of(*text));
  }
  return labels;
}

}  // namespace shoal::models
