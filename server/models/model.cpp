#include "server/models/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ranges>

namespace shoal::models {
namespace {

constexpr std::size_t kMaxNameBytes = 128;
// Of a name that a client sent, in an error message.
constexpr std::size_t kMaxEchoBytes = 256;

const TensorSignature* find_tensor(const std::vector<TensorSignature>& tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &TensorSignature::name);
  return found == tensors.end() ? nullptr : &*found;
}

std::unexpected<Error> not_found(std::string_view name, std::optional<std::int64_t> version) {
  const std::string which = version ? fmt::format(" version {}", *version) : std::string();
  return fail(Code::kNotFound,
              fmt::format("Request for unknown model: '{}'{} is not found", name.substr(0, kMaxEchoBytes), which),
              "model");
}

std::unexpected<Error> not_ready(const ModelVersion& model) {
  return fail(Code::kUnavailable,
              fmt::format("Request for unknown model: '{}' version {} is not at ready state: {}", model.name,
                          model.version, model.load_error.message),
              "model");
}

}  // namespace

const TensorSignature* ModelVersion::input(std::string_view tensor) const { return find_tensor(inputs, tensor); }
const TensorSignature* ModelVersion::output(std::string_view tensor) const { return find_tensor(outputs, tensor); }

Result<ModelPtr> Snapshot::find(std::string_view name, std::optional<std::int64_t> version) const {
  if (!is_read) {
    return fail(Code::kUnavailable, "the model repository is being read");
  }
  const auto model = models.find(name);
  if (model == models.end() || model->second.empty()) {
    return not_found(name, version);
  }
  if (version) {
    const auto found = model->second.find(*version);
    if (found == model->second.end()) {
      return not_found(name, version);
    }
    return found->second->is_ready() ? Result<ModelPtr>(found->second) : not_ready(*found->second);
  }
  for (const auto& [number, candidate] : std::views::reverse(model->second)) {
    if (candidate->is_ready()) {
      return candidate;
    }
  }
  return not_ready(*model->second.rbegin()->second);
}

Result<ModelPtr> Snapshot::find(std::string_view name, std::string_view version) const {
  const auto number = parse_version(version);
  if (!number) {
    return fail(number.error());
  }
  return find(name, *number);
}

const Blob* Snapshot::blob(std::string_view sha256) const {
  const auto found = blobs.find(sha256);
  return found == blobs.end() ? nullptr : &found->second;
}

Result<std::optional<std::int64_t>> parse_version(std::string_view text) {
  if (text.empty()) {
    return std::nullopt;
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("failed to get model version from specified version string '{}'", text.substr(0, kMaxEchoBytes)),
        "model_version");
  }
  if (number < 1) {
    return fail(Code::kInvalidArgument,
                fmt::format("invalid model version specified '{}', versions are numbers from 1 on", text),
                "model_version");
  }
  return number;
}

Status check_model_name(std::string_view name) {
  const auto refuse = [](std::string reason) { return fail(Code::kInvalidArgument, std::move(reason), "model"); };
  if (name.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return refuse("Model name cannot be empty");
  }
  if (name.size() > kMaxNameBytes) {
    return refuse(fmt::format("model name has {} bytes, the limit is {}", name.size(), kMaxNameBytes));
  }
  if (name.front() == '.' || name.find_first_of("/\\") != std::string_view::npos ||
      name.find("..") != std::string_view::npos) {
    return refuse("model name must not contain path traversal characters");
  }
  const bool has_control =
      std::ranges::any_of(name, [](unsigned char letter) { return letter < 0x20 || letter == 0x7F; });
  if (has_control) {
    return refuse("model name must not contain control characters");
  }
  return {};
}

}  // namespace shoal::models
