#include "server/app/import_package.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "engine/import/source_formats.hpp"
#include "engine/package/precision_of.hpp"
#include "server/models/model.hpp"
#include "server/models/package_folder.hpp"
#include "server/models/package_version.hpp"

namespace shoal::app {
namespace {

namespace fs = std::filesystem;

// Where the package goes: a version that is there already and made of the same files, or a new one.
struct Target {
  std::int64_t version = 1;
  std::optional<package::Description> joined;
};

std::int64_t newest_version(const fs::path& model) {
  std::int64_t newest = 0;
  std::error_code error;
  for (fs::directory_iterator entry(model, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const auto number = models::parse_version(entry->path().filename().string());
    newest = std::max(newest, number && *number ? **number : 0);
  }
  return newest;
}

bool is_same(const std::vector<package::FileEntry>& one, const std::vector<package::FileEntry>& other) {
  return std::ranges::equal(one, other, {}, &package::FileEntry::sha256, &package::FileEntry::sha256);
}

Result<Target> target_for(const ImportRequest& request, const std::vector<package::FileEntry>& files) {
  const fs::path model = request.repository / request.name;
  const std::int64_t newest = newest_version(model);
  const std::int64_t wanted = request.version.value_or(newest);
  const fs::path folder = model / std::to_string(wanted);
  std::error_code error;
  if (wanted == 0 || !fs::exists(folder, error)) {
    return Target{.version = std::max<std::int64_t>(wanted, 1), .joined = {}};
  }
  if (models::is_package(folder)) {
    auto description = models::read_description(folder);
    if (!description) {
      return fail(std::move(description.error()).with(folder.string()));
    }
    if (is_same(description->source.files, files)) {
      return Target{.version = wanted, .joined = std::move(*description)};
    }
  }
  if (request.version) {
    return fail(Code::kInvalidArgument,
                fmt::format("--version: {} is there already and made of something else", folder.string()), "version");
  }
  return Target{.version = newest + 1, .joined = {}};
}

std::string variant_name(const ImportRequest& request) {
  if (!request.variant.empty()) {
    return request.variant;
  }
  const std::uint32_t bits = request.precision.bits;
  return fmt::format("{}{}{}", bits >= 16 ? 'f' : 'q', bits, request.precision.is_mixed ? "-mixed" : "");
}

std::optional<package::Embedding> embedding_of(const ModelSource& source, const archs::Model& model) {
  const graph::Signature* encode = model.plan.find("encode");
  if (encode == nullptr || model.facts.model_class != archs::ModelClass::kEncoder) {
    return std::nullopt;
  }
  const auto found = std::ranges::find(encode->outputs, "embedding", &graph::Output::name);
  if (found == encode->outputs.end()) {
    return std::nullopt;
  }
  return package::Embedding{.output = found->name,
                            .width = model.plan.tensors[found->tensor].shape[1].size,
                            .pooling = source.style.pooling == graph::Pooling::kFirst ? "cls" : "mean",
                            .is_normalized = source.style.is_normalized};
}

package::Description described(const ImportRequest& request, const ModelSource& source, const archs::Model& model) {
  return {.name = request.name,
          .model_class = model.facts.model_class,
          .architecture = model.plan.architecture,
          .vocabulary = model.facts.vocabulary,
          .context = model.facts.max_positions,
          .eos = model.facts.eos,
          .decoder_start = model.facts.decoder_start,
          .embedding = embedding_of(source, model),
          .source = source.origin,
          .licence = source.licence};
}

// A variant of the same name is replaced.
void add_variant(package::Description& description, package::Variant variant, bool is_default) {
  if (is_default || description.variants.empty()) {
    description.default_variant = variant.name;
  }
  const auto found = std::ranges::find(description.variants, variant.name, &package::Variant::name);
  if (found == description.variants.end()) {
    description.variants.push_back(std::move(variant));
  } else {
    *found = std::move(variant);
  }
}

Status put_texts(const import::Source& source, models::PackageFolder& folder) {
  const std::pair<const char*, const std::string&> texts[] = {{"tokenizer.json", source.tokenizer},
                                                              {"tokenizer_config.json", source.tokenizer_config},
                                                              {"chat_template.jinja", source.chat_template}};
  for (const auto& [name, text] : texts) {
    if (!text.empty()) {
      if (auto done = folder.put(name, text); !done) {
        return done;
      }
    }
  }
  return {};
}

}  // namespace

Status choose_formats(archs::Model& model, const import::Checkpoint& checkpoint, quantize::PrecisionRequest request,
                      bool has_block) {
  if (!has_block) {
    request.block = quantize::default_block(package::parameters_of(model.plan));
  }
  if (auto chosen = package::choose_formats(model, request); !chosen) {
    return chosen;
  }
  const std::uint32_t source_bits = import::source_bits(model.recipes, checkpoint);
  for (graph::TensorId id = 0; id < model.plan.tensors.size(); ++id) {
    graph::Tensor& tensor = model.plan.tensors[id];
    if (tensor.kind != graph::TensorKind::kWeight || tensor.shape.size() != 2) {
      continue;
    }
    const std::uint32_t bits = formats::code_bits(tensor.format.codes);
    // Where a rule has raised or lowered the bits, only codes of just as many are kept.
    const auto kept = bits == request.bits ? import::format_to_keep(model.recipes[id], checkpoint, bits, source_bits)
                                           : import::kept_format(model.recipes[id], checkpoint);
    if (kept && (bits == request.bits || kept->codes == tensor.format.codes)) {
      tensor.format = *kept;
    }
  }
  return {};
}

Result<Imported> import_package(const ImportRequest& request, Parallel& parallel) {
  if (auto fine = models::check_model_name(request.name); !fine) {
    return fail(std::move(fine.error()).with("--name"));
  }
  auto source = open_source(request.source);
  if (!source) {
    return fail(std::move(source.error()));
  }
  auto model = source->build();
  if (!model) {
    return fail(std::move(model.error()));
  }
  if (auto chosen = choose_formats(*model, source->source.checkpoint, request.precision, request.has_block); !chosen) {
    return fail(std::move(chosen.error()));
  }
  auto files = hashed_files(*source);
  if (!files) {
    return fail(std::move(files.error()));
  }
  source->origin.files = std::move(*files);
  source->origin.name = request.origin.empty() ? source->origin.name : request.origin;
  auto target = target_for(request, source->origin.files);
  if (!target) {
    return fail(std::move(target.error()));
  }
  const fs::path version = request.repository / request.name / std::to_string(target->version);
  auto folder = target->joined ? models::PackageFolder::open(version)
                               : models::PackageFolder::create(request.repository, request.name, target->version);
  if (!folder) {
    return fail(std::move(folder.error()));
  }
  package::Description description = target->joined ? std::move(*target->joined) : described(request, *source, *model);
  const auto on_progress = [&](const package::Progress& progress) {
    source->files->forget();
    if (request.on_progress) {
      request.on_progress(progress);
    }
  };
  auto variant = package::write_variant(*model, source->source.checkpoint,
                                        {.quantize = request.quantize, .on_progress = on_progress}, parallel, **folder);
  if (!variant) {
    return fail(std::move(variant.error()));
  }
  variant->name = variant_name(request);
  variant->bits = request.precision.bits;
  variant->is_mixed = request.precision.is_mixed;
  variant->method = request.quantize.method == quantize::Method::kSearch ? "search" : "nearest";
  for (const quantize::KeepRule& rule : request.precision.keep) {
    variant->keep.push_back(fmt::format("{}={}", rule.pattern, rule.bits));
  }
  Imported out;
  out.variant = variant->name;
  add_variant(description, std::move(*variant), request.is_default);
  Status done = target->joined ? Status() : put_texts(source->source, **folder);
  if (done) {
    done = (*folder)->put(std::string(package::kDescriptionFile), package::write_description(description));
  }
  if (done) {
    done = (*folder)->keep();
  }
  if (!done) {
    return fail(std::move(done.error()));
  }
  out.folder = (*folder)->path();
  out.description = std::move(description);
  return out;
}

}  // namespace shoal::app
