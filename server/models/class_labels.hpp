// The names of an output's classes, as `label_filename` in config.pbtxt gives them: a file in the model's folder with
// one name per line, the first for index 0.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/core/result.hpp"

namespace inference {
class ModelConfig;
}

namespace shoal::models {

using ClassLabels = std::map<std::string, std::vector<std::string>, std::less<>>;  // by output

inline constexpr std::size_t kMaxLabelBytes = std::size_t{1} << 20;  // of one file

// Of every output that names a file. Errors name output and file: kInvalidArgument when it is no plain file name,
// kNotFound, kResourceLimit above kMaxLabelBytes.
Result<ClassLabels> read_class_labels(const std::filesystem::path& model_folder, const inference::ModelConfig& config);

}  // namespace shoal::models
