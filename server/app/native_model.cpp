#include "server/app/native_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "server/app/import_package.hpp"
#include "server/app/model_source.hpp"
#include "server/models/model.hpp"
#include "server/models/package_version.hpp"
#include "server/models/read_file.hpp"

namespace shoal::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTextBytes = std::size_t{128} << 20;

// The newest version of this model that is a package; nothing when there is none.
std::optional<fs::path> package_of_name(const fs::path& repository, const std::string& name) {
  if (!models::check_model_name(name)) {
    return std::nullopt;
  }
  std::int64_t newest = 0;
  std::error_code error;
  fs::directory_iterator entry(repository / name, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const auto number = models::parse_version(entry->path().filename().string());
    if (number && *number && models::is_package(entry->path())) {
      newest = std::max(newest, **number);
    }
  }
  return newest == 0 ? std::nullopt : std::optional(repository / name / std::to_string(newest));
}

// Empty where there is no such file.
Result<std::string> text_of(const fs::path& file) {
  auto text = models::read_file(file, kMaxTextBytes);
  return text || text.error().code != Code::kNotFound ? text : Result<std::string>();
}

Result<std::unique_ptr<NativeModel>> load_package(const fs::path& folder, const NativeRequest& request) {
  const auto description = models::read_description(folder);
  if (!description) {
    return fail(description.error());
  }
  const auto variant = variant_of(*description, request.bits);
  if (!variant) {
    return fail(variant.error());
  }
  models::Digests digests(request.home / "store");
  auto files = models::read_package_files(folder, **variant, digests);
  if (!files) {
    return fail(std::move(files.error()));
  }
  static_cast<void>(digests.save());  // only saves time
  auto out = std::make_unique<NativeModel>();
  out->files = std::make_unique<MappedFolder>(folder);
  out->plan = std::move(files->plan);
  std::vector<Bytes> shards;
  for (const models::Blob& shard : files->shards) {
    const auto bytes = out->files->read(shard.path.filename().string());
    if (!bytes) {
      return fail(bytes.error());
    }
    shards.push_back(*bytes);
  }
  auto weights = runtime::Weights::place(out->plan, shards);
  auto tokenizer = text_of(folder / "tokenizer.json");
  auto tokenizer_config = text_of(folder / "tokenizer_config.json");
  auto chat_template = text_of(folder / "chat_template.jinja");
  for (const Result<std::string>* text : {&tokenizer, &tokenizer_config, &chat_template}) {
    if (!*text) {
      return fail(text->error());
    }
  }
  if (!weights) {
    return fail(std::move(weights.error()));
  }
  out->weights = std::move(*weights);
  out->facts = {.model_class = description->model_class,
                .vocabulary = description->vocabulary,
                .max_positions = description->context,
                .decoder_start = description->decoder_start,
                .eos = description->eos};
  out->bits = (*variant)->bits;
  out->variant = (*variant)->name;
  out->tokenizer = std::move(*tokenizer);
  out->tokenizer_config = std::move(*tokenizer_config);
  out->chat_template = std::move(*chat_template);
  return out;
}

Result<std::unique_ptr<NativeModel>> load_source(const NativeRequest& request, Parallel& parallel) {
  auto source = open_source(request.model);
  if (!source) {
    return fail(std::move(source.error()));
  }
  auto model = source->build();
  if (!model) {
    return fail(std::move(model.error()));
  }
  const std::uint32_t bits = request.bits ? *request.bits : source->own_bits(*model);
  if (auto chosen = choose_formats(*model, source->source.checkpoint, {.bits = bits}, true); !chosen) {
    return fail(std::move(chosen.error()));
  }
  auto weights = runtime::Weights::make(model->plan, model->recipes, source->source.checkpoint, {}, parallel);
  if (!weights) {
    return fail(std::move(weights.error()));
  }
  auto out = std::make_unique<NativeModel>();
  out->plan = std::move(model->plan);
  out->weights = std::move(*weights);
  out->facts = std::move(model->facts);
  out->bits = bits;
  out->tokenizer = std::move(source->source.tokenizer);
  out->tokenizer_config = std::move(source->source.tokenizer_config);
  out->chat_template = std::move(source->source.chat_template);
  return out;
}

}  // namespace

Result<fs::path> find_package(const std::string& model, const fs::path& home) {
  std::error_code error;
  if (models::is_package(model)) {
    return model;
  }
  if (fs::exists(model, error)) {
    return fs::path();
  }
  if (auto folder = package_of_name(home / "models", model)) {
    return *std::move(folder);
  }
  return fail(Code::kNotFound,
              fmt::format("'{}' is no folder, no GGUF file, and no package in {}", model, (home / "models").string()),
              "model");
}

Result<const package::Variant*> variant_of(const package::Description& description, std::optional<std::uint32_t> bits) {
  if (!bits) {
    return description.find({});
  }
  const auto found = std::ranges::find(description.variants, *bits, &package::Variant::bits);
  if (found == description.variants.end()) {
    return fail(Code::kNotFound, fmt::format("'{}' has no variant of {} bits", description.name, *bits), "bits");
  }
  return &*found;
}

Result<std::unique_ptr<NativeModel>> load_native(const NativeRequest& request, Parallel& parallel) {
  const auto package = find_package(request.model, request.home);
  if (!package) {
    return fail(package.error());
  }
  return package->empty() ? load_source(request, parallel) : load_package(*package, request);
}

}  // namespace shoal::app
