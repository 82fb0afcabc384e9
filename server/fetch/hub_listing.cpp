#include "server/fetch/hub_listing.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>

namespace shoal::fetch {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 18> kDescriptions = {"config.json",
                                                            "generation_config.json",
                                                            "tokenizer.json",
                                                            "tokenizer_config.json",
                                                            "special_tokens_map.json",
                                                            "added_tokens.json",
                                                            "vocab.json",
                                                            "vocab.txt",
                                                            "merges.txt",
                                                            "spiece.model",
                                                            "tokenizer.model",
                                                            "chat_template.jinja",
                                                            "preprocessor_config.json",
                                                            "processor_config.json",
                                                            "modules.json",
                                                            "sentence_bert_config.json",
                                                            "1_Pooling/config.json",
                                                            "README.md"};
constexpr std::string_view kWhole = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";

std::unexpected<Error> wrong(std::string_view field, std::string_view expected) {
  return fail(Code::kUnavailable, fmt::format("the hub's listing: '{}' must be {}", field, expected), "source");
}

bool is_hexadecimal(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Null where there is none.
const Json& member(const Json& object, const char* name) {
  static const Json null;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() ? *found : null;
}

// "model-00002-of-00009.safetensors"
bool is_shard(std::string_view name) {
  return name.starts_with("model-") && name.ends_with(".safetensors") && !name.contains('/');
}

}  // namespace

Result<HubListing> read_listing(std::string_view json) {
  if (json.size() > kMaxListingBytes) {
    return wrong("siblings", fmt::format("part of at most {} bytes", kMaxListingBytes));
  }
  const Json document = Json::parse(json, nullptr, false);
  const Json& commit = member(document, "sha");
  if (!commit.is_string() || !is_hexadecimal(commit.get<std::string>(), 40)) {
    return wrong("sha", "a commit of 40 hexadecimal digits");
  }
  const Json& siblings = member(document, "siblings");
  if (!siblings.is_array() || siblings.size() > kMaxFiles) {
    return wrong("siblings", fmt::format("a list of at most {} files", kMaxFiles));
  }
  HubListing out{.commit = commit.get<std::string>(), .files = {}};
  for (const Json& sibling : siblings) {
    const Json& name = member(sibling, "rfilename");
    if (!name.is_string()) {
      return wrong("rfilename", "a text");
    }
    HubFile file{.name = name.get<std::string>()};
    if (!is_safe_name(file.name)) {
      continue;
    }
    const Json& lfs = member(sibling, "lfs");
    const Json& size = member(lfs.is_null() ? sibling : lfs, "size");
    if (!size.is_number_unsigned()) {
      return wrong("size", "the number of the file's bytes");
    }
    file.bytes = size.get<std::uint64_t>();
    const Json& hash = member(lfs, "sha256");
    if (!lfs.is_null() && (!hash.is_string() || !is_hexadecimal(hash.get<std::string>(), 64))) {
      return wrong("lfs.sha256", "64 hexadecimal digits");
    }
    file.sha256 = lfs.is_null() ? std::string() : hash.get<std::string>();
    out.files.push_back(std::move(file));
  }
  return out;
}

Result<std::vector<HubFile>> files_of_model(const HubListing& listing, const HubAddress& address) {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(listing.files, name, &HubFile::name) != listing.files.end();
  };
  const auto taken = [&](auto is_wanted) {
    std::vector<HubFile> out;
    std::ranges::copy_if(listing.files, std::back_inserter(out), is_wanted);
    return out;
  };
  if (!address.file.empty()) {
    auto out = taken([&](const HubFile& file) { return file.name == address.file; });
    return out.empty()
               ? fail(Code::kNotFound, fmt::format("{} has no file '{}'", address.repository, address.file), "source")
               : Result<std::vector<HubFile>>(std::move(out));
  }
  const bool is_whole = has(kWhole);
  if (has("config.json") && (is_whole || has(kIndex))) {
    return taken([&](const HubFile& file) {
      const bool is_weights = is_whole ? file.name == kWhole : file.name == kIndex || is_shard(file.name);
      return is_weights || std::ranges::find(kDescriptions, file.name) != kDescriptions.end();
    });
  }
  auto out = taken([](const HubFile& file) { return file.name.ends_with(".gguf"); });
  if (out.size() == 1) {
    return out;
  }
  if (out.empty()) {
    return fail(Code::kNotFound,
                fmt::format("{} has neither config.json with safetensors nor a GGUF file", address.repository),
                "source");
  }
  std::vector<std::string_view> names;
  std::ranges::transform(out, std::back_inserter(names),
                         [](const HubFile& file) { return std::string_view(file.name); });
  return fail(Code::kInvalidArgument,
              fmt::format("{} has several GGUF files: name one, as hf:{}/{} (there are {})", address.repository,
                          address.repository, names.front(), fmt::join(names, ", ")),
              "source");
}

}  // namespace shoal::fetch
