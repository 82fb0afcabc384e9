#include "server/models/model_parameters.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <utility>

#include "inference/model_config.pb.h"
#include "server/core/split.hpp"
#include "server/models/instance_groups.hpp"
#include "server/models/model_config.hpp"

namespace shoal::models {
namespace {

constexpr std::int64_t kMaxBucket = 1 << 20;
constexpr std::size_t kMaxBuckets = 32;
constexpr std::size_t kMaxTags = 16;
constexpr std::size_t kMaxTagBytes = 128;
constexpr std::string_view kEmbeddingKey = "shoal_embedding";

std::unexpected<Error> bad(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

std::vector<std::string_view> trimmed_parts(std::string_view text, char separator) {
  std::vector<std::string_view> parts = split(text, separator);
  std::ranges::transform(parts, parts.begin(), trimmed);
  return parts;
}

Result<std::vector<std::int64_t>> parse_sizes(std::string_view text) {
  std::vector<std::int64_t> sizes;
  for (const std::string_view part : trimmed_parts(text, ',')) {
    std::int64_t size = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), size);
    const bool is_number = error == std::errc() && end == part.data() + part.size() && !part.empty();
    if (!is_number || size < 1 || size > kMaxBucket || (!sizes.empty() && size <= sizes.back()) ||
        sizes.size() >= kMaxBuckets) {
      return bad(fmt::format("'{}' must be ascending numbers from 1 to {}, at most {} of them", text, kMaxBucket,
                             kMaxBuckets));
    }
    sizes.push_back(size);
  }
  return sizes;
}

// Decimal digits, no sign.
std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(number)
                                                                                   : std::nullopt;
}

std::unexpected<Error> wrong(std::string_view key, std::string_view value, std::string_view expected) {
  return bad(fmt::format("{} is '{}', it must be {}", key, value, expected));
}

Status read_backend(const std::string& value, ModelVersion& model) {
  auto backends = parse_backends(value);
  if (!backends) {
    return fail(std::move(backends.error()));
  }
  model.backends = *std::move(backends);
  model.has_own_order = true;
  return {};
}

Status read_buckets(const std::string& value, ModelVersion& model) {
  auto buckets = parse_buckets(value);
  if (!buckets) {
    return fail(std::move(buckets.error()));
  }
  model.webnn_buckets = *std::move(buckets);
  return {};
}

Status read_embedding(const std::string& value, ModelVersion& /*model*/) {
  // is_embedding_off() reads it.
  return value == "auto" || value == "off" ? Status() : wrong(kEmbeddingKey, value, "'auto' or 'off'");
}

Status read_family(const std::string& value, ModelVersion& model) {
  model.family = family_from(value);
  return model.family ? Status() : wrong("shoal_family", value, "'text', 'vision', 'audio' or 'multimodal'");
}

Status read_max_queue_bytes(const std::string& value, ModelVersion& model) {
  const auto bytes = number_in(value);
  if (!bytes || *bytes == 0) {
    return wrong("shoal_max_queue_bytes", value, "a number of bytes above 0");
  }
  model.max_queue_bytes = *bytes;
  return {};
}

Status read_min_resident(const std::string& value, ModelVersion& model) {
  const auto count = number_in(value);
  if (!count || std::cmp_greater(*count, kMaxWorkers)) {
    return wrong("shoal_min_resident", value, fmt::format("a number of workers from 0 to {}", kMaxWorkers));
  }
  model.residency.min_resident = static_cast<std::uint32_t>(*count);
  return {};
}

Status read_min_trust(const std::string& value, ModelVersion& model) {
  model.min_trust = tier_from(value);
  return model.min_trust ? Status() : wrong("shoal_min_trust", value, "'trusted' or 'untrusted'");
}

Status read_pinned(const std::string& value, ModelVersion& model) {
  if (value != "true" && value != "false") {
    return wrong("shoal_pinned", value, "'true' or 'false'");
  }
  model.residency.is_pinned = value == "true";
  return {};
}

// read_scheduling() reads shoal_priority, read_package_version() shoal_context, shoal_kv_bits, shoal_parallel and
// shoal_variant.
Status leave_to_others(const std::string& /*value*/, ModelVersion& /*model*/) { return {}; }

using Reader = Status (*)(const std::string& value, ModelVersion& model);
const std::map<std::string_view, Reader> kReaders = {
    {"shoal_backend", read_backend},
    {"shoal_buckets", read_buckets},
    {"shoal_context", leave_to_others},
    {kEmbeddingKey, read_embedding},
    {"shoal_family", read_family},
    {"shoal_kv_bits", leave_to_others},
    {"shoal_max_queue_bytes", read_max_queue_bytes},
    {"shoal_min_resident", read_min_resident},
    {"shoal_min_trust", read_min_trust},
    {"shoal_parallel", leave_to_others},
    {"shoal_pinned", read_pinned},
    {"shoal_priority", leave_to_others},
    {"shoal_variant", leave_to_others},
};

// What the names of the inputs say for certain.
std::optional<Family> family_of(const ModelVersion& model) {
  const auto has = [&model](std::string_view name) { return model.input(name) != nullptr; };
  const bool has_text = has("input_ids");
  const bool has_image = has("pixel_values");
  const bool has_audio = has("input_features") || has("input_values");
  if (has_text + has_image + has_audio > 1) {
    return Family::kMultimodal;
  }
  return has_text    ? std::optional(Family::kText)
         : has_image ? std::optional(Family::kVision)
         : has_audio ? std::optional(Family::kAudio)
                     : std::nullopt;
}

Status check_symbols(const ModelVersion& model) {
  std::set<std::string> symbols;
  for (const TensorSignature& input : model.inputs) {
    symbols.insert(input.dim_names.begin(), input.dim_names.end());
  }
  symbols.erase("");
  for (const auto& [symbol, sizes] : model.webnn_buckets) {
    if (!symbols.contains(symbol)) {
      return bad(fmt::format("shoal_buckets: no input has a dimension '{}'; the open ones are: {}", symbol,
                             fmt::join(symbols, ", ")));
    }
  }
  return {};
}

}  // namespace

Result<Buckets> parse_buckets(std::string_view text) {
  Buckets buckets;
  for (const std::string_view part : trimmed_parts(text, ';')) {
    const std::size_t equals = part.rfind('=');
    if (equals == std::string_view::npos || trimmed(part.substr(0, equals)).empty()) {
      return bad(fmt::format("shoal_buckets: '{}' is not of the form dimension=size,size", part));
    }
    auto sizes = parse_sizes(part.substr(equals + 1));
    if (!sizes) {
      return fail(std::move(sizes.error()).with("shoal_buckets"));
    }
    const std::string symbol(trimmed(part.substr(0, equals)));
    if (!buckets.emplace(symbol, std::move(*sizes)).second) {
      return bad(fmt::format("shoal_buckets: dimension '{}' is named twice", symbol));
    }
  }
  return buckets;
}

Result<std::vector<Backend>> parse_backends(std::string_view text) {
  std::vector<Backend> backends;
  for (const std::string_view name : trimmed_parts(text, ',')) {
    const auto backend = backend_from(name);
    if (!backend || std::ranges::find(backends, *backend) != backends.end()) {
      return bad(fmt::format("shoal_backend: '{}' must be names out of wasm, webgpu, webnn, each once", text));
    }
    backends.push_back(*backend);
  }
  return backends;
}

Status apply_parameters(const inference::ModelConfig& config, ModelVersion& model) {
  for (const auto& [key, parameter] : config.parameters()) {
    if (!key.starts_with("shoal_")) {
      continue;
    }
    const auto reader = kReaders.find(key);
    if (reader == kReaders.end()) {
      return bad(fmt::format("parameters: unknown key '{}'; Shoal's are {}", key,
                             fmt::join(kReaders | std::views::keys, ", ")));
    }
    if (Status status = reader->second(parameter.string_value(), model); !status) {
      return status;
    }
  }
  if (!model.family) {
    model.family = family_of(model);
  }
  return check_symbols(model);
}

Status apply_metric_tags(const inference::ModelConfig& config, ModelVersion& model) {
  if (static_cast<std::size_t>(config.metric_tags_size()) > kMaxTags) {
    return bad(fmt::format("metric_tags: {} tags, the limit is {}", config.metric_tags_size(), kMaxTags));
  }
  for (const auto& [key, value] : std::map(config.metric_tags().begin(), config.metric_tags().end())) {
    const bool is_name = !key.empty() && std::ranges::all_of(key, [](char letter) {
      return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
             letter == '_';
    });
    const bool is_text = std::ranges::all_of(value, [](char letter) { return letter >= ' ' && letter <= '~'; });
    if (!is_name || !is_text || key.size() > kMaxTagBytes || value.size() > kMaxTagBytes) {
      return bad(
          fmt::format("metric_tags: the key '{:.100}' must be letters, digits and '_', its value printable "
                      "ASCII, each of at most {} bytes",
                      key, kMaxTagBytes));
    }
    model.metric_tags.emplace_back('_' + key, value);
  }
  return {};
}

bool is_embedding_off(const inference::ModelConfig& config) {
  const auto found = config.parameters().find(std::string(kEmbeddingKey));
  return found != config.parameters().end() && found->second.string_value() == "off";
}

}  // namespace shoal::models
