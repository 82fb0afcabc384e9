#include "server/app/model_source.hpp"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "engine/import/source_formats.hpp"
#include "server/core/split.hpp"
#include "server/models/digests.hpp"
#include "server/models/embedding_config.hpp"

namespace shoal::app {
namespace {

namespace fs = std::filesystem;

// `licence: x` of the block between two lines "---" with which a model's page begins.
std::string licence_of_readme(std::string_view text) {
  constexpr std::string_view kKey = "license:";
  const std::vector<std::string_view> lines = split(text.substr(0, std::size_t{64} << 10), '\n');
  if (lines.empty() || trimmed(lines.front()) != "---") {
    return {};
  }
  for (std::size_t index = 1; index < lines.size() && trimmed(lines[index]) != "---"; ++index) {
    if (lines[index].starts_with(kKey)) {
      return std::string(trimmed(lines[index].substr(kKey.size())));
    }
  }
  return {};
}

Result<ModelSource> open_model_folder(const fs::path& path) {
  ModelSource out;
  out.folder = path;
  out.files = std::make_unique<MappedFolder>(path);
  auto source = import::open_folder(*out.files);
  if (!source) {
    return fail(std::move(source.error()).with(path.string()));
  }
  out.source = std::move(*source);
  const auto style = models::read_sentence_style(path);
  if (!style) {
    return fail(style.error());
  }
  if (*style) {
    out.style = {.pooling = (*style)->pooling == Pooling::Kind::kCls ? graph::Pooling::kFirst : graph::Pooling::kMean,
                 .is_normalized = (*style)->is_normalized};
  }
  out.licence = out.source.licence;
  if (const auto readme = out.files->read("README.md"); readme && out.licence.empty()) {
    out.licence = licence_of_readme(as_text(*readme));
  }
  out.origin.kind = "huggingface";
  return out;
}

Result<ModelSource> open_file(const fs::path& path) {
  ModelSource out;
  out.folder = path.parent_path();
  out.files = std::make_unique<MappedFolder>(path.parent_path());
  const auto file = out.files->read(path.filename().string());
  if (!file) {
    return fail(file.error());
  }
  if (!import::is_gguf(*file)) {
    return fail(Code::kInvalidArgument, fmt::format("{} is neither a folder nor a GGUF file", path.string()), "source");
  }
  auto source = import::open_gguf(*file);
  if (!source) {
    return fail(std::move(source.error()).with(path.string()));
  }
  out.source = std::move(*source);
  out.licence = out.source.licence;
  out.origin.kind = "gguf";
  return out;
}

}  // namespace

Result<archs::Model> ModelSource::build() {
  return archs::build_model(source.config, source.generation ? &*source.generation : nullptr, source.checkpoint, style);
}

std::uint32_t ModelSource::own_bits(const archs::Model& model) const {
  const std::uint32_t stored = import::source_bits(model.recipes, source.checkpoint);
  return stored == 0 ? 32 : stored;
}

Result<ModelSource> open_source(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::absolute(path, error).lexically_normal();
  if (!fs::exists(whole, error)) {
    return fail(Code::kNotFound, fmt::format("there is no {}", path.string()), "source");
  }
  auto out = fs::is_directory(whole, error) ? open_model_folder(whole) : open_file(whole);
  if (out) {
    const fs::path name = whole.filename().empty() ? whole.parent_path().filename() : whole.filename();
    out->origin.name = name.string();
    for (const auto& [file, bytes] : out->files->files()) {
      if (file.ends_with(".safetensors") || file.ends_with(".gguf") || file == "config.json") {
        out->origin.files.push_back({.file = file, .sha256 = {}, .bytes = bytes.size()});
      }
    }
  }
  return out;
}

Result<std::vector<package::FileEntry>> hashed_files(const ModelSource& source) {
  models::Digests digests({});
  std::vector<package::FileEntry> out = source.origin.files;
  for (package::FileEntry& entry : out) {
    auto blob = digests.digest(source.folder / entry.file);
    if (!blob) {
      return fail(std::move(blob.error()));
    }
    entry.sha256 = std::move(blob->sha256);
  }
  return out;
}

}  // namespace shoal::app
