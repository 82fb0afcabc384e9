#include "server/models/package_version.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <system_error>

#include "engine/graph/plan_file.hpp"
#include "inference/model_config.pb.h"
#include "server/models/config_support.hpp"
#include "server/models/generation_config.hpp"
#include "server/models/model_parameters.hpp"
#include "server/models/plan_signature.hpp"
#include "server/models/read_file.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::models {
namespace {

namespace fs = std::filesystem;

// Of a step of an encoder: all tokens of a batch together. A batch is as many rows of the model's full length as that
// is.
constexpr std::uint64_t kStepTokens = 8192;
constexpr std::uint64_t kMostStepTokens = 65'536;

std::unexpected<Error> bad(std::string message, std::string field) {
  return fail(Code::kInvalidArgument, std::move(message), std::move(field));
}

Result<Blob> checked_file(const fs::path& file, std::string_view sha256, std::uint64_t bytes, Digests& digests) {
  auto blob = digests.digest(file);
  if (!blob) {
    return blob;
  }
  if (blob->size != bytes || blob->sha256 != sha256) {
    return bad(fmt::format("{}: it has {} bytes and the SHA-256 {}, the package says {} and {}", file.string(),
                           blob->size, blob->sha256, bytes, sha256),
               file.filename().string());
  }
  return blob;
}

Result<const package::Variant*> chosen_variant(const package::Description& description,
                                               const inference::ModelConfig& config) {
  const auto asked = config.parameters().find("shoal_variant");
  const std::string name = asked == config.parameters().end() ? std::string() : asked->second.string_value();
  if (const package::Variant* variant = description.find(name)) {
    return variant;
  }
  return bad(fmt::format("shoal_variant: the package has no variant '{}'; it has: {}", name,
                         fmt::join(description.variants | std::views::transform(&package::Variant::name), ", ")),
             "shoal_variant");
}

// Rows of a batch where the configuration does not say it.
std::int64_t rows_of_context(std::uint32_t context) {
  const std::uint64_t length = context == 0 ? kStepTokens / kAutoBatchSize : context;
  return static_cast<std::int64_t>(
      std::clamp<std::uint64_t>(kStepTokens / length, 1, static_cast<std::uint64_t>(kAutoBatchSize)));
}

// What a step and the state of the plan may be at most.
Result<std::map<std::string, std::uint64_t>> limits_of(const package::Description& description,
                                                       const ModelVersion& model) {
  const auto rows = static_cast<std::uint64_t>(std::max<std::int64_t>(model.max_batch_size, 1));
  const std::uint64_t tokens =
      std::max<std::uint64_t>(description.context == 0 ? kStepTokens : rows * description.context, 1);
  if (tokens > kMostStepTokens) {
    return bad(fmt::format("max_batch_size: {} rows of {} tokens are more than {} tokens in a step", rows,
                           description.context, kMostStepTokens),
               "max_batch_size");
  }
  return std::map<std::string, std::uint64_t>{{"B", rows}, {"T", tokens}, {"R", tokens}};
}

Status read_embedding(const fs::path& folder, const package::Description& description, Tokenizers& tokenizers,
                      ModelVersion& model) {
  if (!description.embedding) {
    model.no_embedding_reason = "the package has no output that is a sentence's vector";
    return {};
  }
  const TensorSignature* output = model.output(description.embedding->output);
  if (output == nullptr || output->dims.size() != 2 || output->dims[1] != description.embedding->width) {
    return bad(fmt::format("{}: embedding.output: the plan has no output '{}' [batch, {}]", package::kDescriptionFile,
                           description.embedding->output, description.embedding->width),
               "embedding.output");
  }
  const auto json = read_file(folder / "tokenizer.json", text::Tokenizer::kMaxFileBytes);
  if (!json) {
    model.no_embedding_reason = json.error().message;
    return json.error().code == Code::kNotFound ? Status() : fail(json.error());
  }
  auto tokenizer = shared_tokenizer(*json, tokenizers);
  if (!tokenizer) {
    return fail(std::move(tokenizer.error()).with("tokenizer.json"));
  }
  model.embedding = EmbeddingConfig{
      .tokenizer = *tokenizer,
      .max_tokens = description.context == 0 ? static_cast<std::uint32_t>(kStepTokens) : description.context,
      .pad_id = (*tokenizer)->pad_id().value_or(0),
      .pooled_output = description.embedding->output,
      .width = description.embedding->width};
  return {};
}

struct Opened {
  const fs::path& folder;
  const package::Description& description;
  const graph::Plan& plan;
};

Status read_encoder(const Opened& opened, ParsedConfig parsed, Tokenizers& tokenizers, ModelVersion& model) {
  auto signature = plan_signature(opened.plan);
  if (!signature) {
    return fail(std::move(signature.error()));
  }
  signature->platform = kPlanPlatform;
  if (!parsed.has_max_batch_size) {
    parsed.config->set_max_batch_size(static_cast<int>(rows_of_context(opened.description.context)));
    parsed.has_max_batch_size = true;
  }
  const bool is_embedding_wanted = !is_embedding_off(*parsed.config);
  if (auto applied = apply_model_config(std::move(parsed), std::move(*signature), {Backend::kWasm}, model); !applied) {
    return applied;
  }
  auto limits = limits_of(opened.description, model);
  if (!limits) {
    return fail(std::move(limits.error()));
  }
  model.plan->limits = std::move(*limits);
  if (!is_embedding_wanted) {
    model.no_embedding_reason = "shoal_embedding is off";
    return {};
  }
  return read_embedding(opened.folder, opened.description, tokenizers, model);
}

Status read_generator(const Opened& opened, ParsedConfig parsed, Tokenizers& tokenizers, ModelVersion& model) {
  const auto settings = generation_settings(*parsed.config);
  if (!settings) {
    return fail(settings.error());
  }
  const auto kv = kv_bits_parameter(*parsed.config);
  const auto formats = kv ? runtime::kv_formats(opened.plan, *kv) : fail(kv.error());
  if (!formats) {
    return fail(formats.error());
  }
  auto generation = read_generation(opened.folder, opened.description, *settings, tokenizers);
  if (!generation) {
    return fail(std::move(generation.error()));
  }
  if (parsed.has_max_batch_size && parsed.config->max_batch_size() != 0) {
    return bad("max_batch_size: a model that generates takes one prompt a request: it must be 0", "max_batch_size");
  }
  parsed.has_max_batch_size = true;
  parsed.config->mutable_model_transaction_policy()->set_decoupled(true);
  GraphSignature signature = generation_signature(generation->tokenizer != nullptr);
  signature.platform = kPlanPlatform;
  if (auto applied = apply_model_config(std::move(parsed), std::move(signature), {Backend::kWasm}, model); !applied) {
    return applied;
  }
  if (Status set = set_limits(opened.plan, *kv, *generation, *model.plan); !set) {
    return set;
  }
  model.no_embedding_reason = "the package is of a model that generates";
  model.generation = std::move(*generation);
  return {};
}

// The plan engine runs on these; others are refused where a configuration asks for them.
Status check_backends(const ModelVersion& model) {
  const auto other = std::ranges::find_if(model.backends, [](Backend backend) { return backend != Backend::kWasm; });
  return other == model.backends.end()
             ? Status()
             : bad(fmt::format("shoal_backend: packages run on 'wasm', not on '{}'", backend_name(*other)),
                   "shoal_backend");
}

}  // namespace

bool is_package(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / package::kDescriptionFile, error);
}

Result<package::Description> read_description(const fs::path& folder) {
  const auto text = read_file(folder / package::kDescriptionFile, package::kMaxDescriptionBytes);
  if (!text) {
    return fail(text.error());
  }
  return package::parse_description(*text);
}

Result<PackageFiles> read_package_files(const fs::path& folder, const package::Variant& variant, Digests& digests) {
  auto plan_file = checked_file(folder / variant.plan.file, variant.plan.sha256, variant.plan.bytes, digests);
  if (!plan_file) {
    return fail(std::move(plan_file.error()));
  }
  const auto bytes = read_file(plan_file->path, graph::kMaxPlanBytes);
  if (!bytes) {
    return fail(bytes.error());
  }
  auto plan = graph::read_plan(as_bytes(*bytes));
  if (!plan) {
    return fail(std::move(plan.error()).with(variant.plan.file));
  }
  if (plan->shards.empty()) {
    return bad(fmt::format("{}: the plan does not say where its weights lie", variant.plan.file), "variants.plan");
  }
  PackageFiles out{.plan_file = std::move(*plan_file), .plan = std::move(*plan), .shards = {}};
  for (const graph::Shard& shard : out.plan.shards) {
    auto blob = checked_file(folder / (shard.sha256 + ".weights"), shard.sha256, shard.bytes, digests);
    if (!blob) {
      return fail(std::move(blob.error()));
    }
    out.shards.push_back(std::move(*blob));
  }
  return out;
}

Status read_package_version(const fs::path& folder, ParsedConfig parsed, Digests& digests, Tokenizers& tokenizers,
                            ModelVersion& model) {
  const auto description = read_description(folder);
  if (!description) {
    return fail(description.error());
  }
  const auto variant = chosen_variant(*description, *parsed.config);
  if (!variant) {
    return fail(variant.error());
  }
  auto files = read_package_files(folder, **variant, digests);
  if (!files) {
    return fail(std::move(files.error()));
  }
  model.plan = PlanConfig{.variant = (*variant)->name, .bits = (*variant)->bits, .limits = {}};
  if (auto applied = description->model_class == archs::ModelClass::kEncoder
                         ? read_encoder({folder, *description, files->plan}, std::move(parsed), tokenizers, model)
                         : read_generator({folder, *description, files->plan}, std::move(parsed), tokenizers, model);
      !applied) {
    return applied;
  }
  model.graph = std::move(files->plan_file);
  for (Blob& shard : files->shards) {
    model.external.push_back({.location = shard.sha256, .blob = std::move(shard)});
  }
  return check_backends(model);
}

}  // namespace shoal::models
