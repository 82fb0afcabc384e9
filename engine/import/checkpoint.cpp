#include "engine/import/checkpoint.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace shoal::import {
namespace {

constexpr std::string_view kWhole = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr std::size_t kMaxIndexBytes = 64U << 20;
constexpr std::size_t kMaxShards = 4096;

std::unexpected<Error> bad_index(std::string message) {
  return fail(Code::kInvalidArgument, std::string(kIndex) + ": " + std::move(message));
}

// Shards by file name, with the tensors that the index looks for in each.
Result<std::map<std::string, std::set<std::string>>> read_index(std::string_view text) {
  if (text.size() > kMaxIndexBytes) {
    return bad_index("it has more than " + std::to_string(kMaxIndexBytes) + " bytes");
  }
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    return bad_index("there is no object 'weight_map'");
  }
  std::map<std::string, std::set<std::string>> shards;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    if (!file.is_string()) {
      return bad_index("the file of tensor '" + tensor + "' is no text");
    }
    const auto name = file.get<std::string>();
    if (name.empty() || name.front() == '.' || name.find_first_of("/\\") != std::string::npos) {
      return bad_index("'" + name + "' is no name of a file beside it");
    }
    shards[name].insert(tensor);
  }
  if (shards.size() > kMaxShards) {
    return bad_index("it names more than " + std::to_string(kMaxShards) + " files");
  }
  return shards;
}

}  // namespace

Result<Checkpoint> Checkpoint::open(Files& files) {
  Checkpoint checkpoint;
  auto whole = files.read(kWhole);
  if (whole) {
    auto parsed = parse_safetensors(*whole);
    if (!parsed) {
      return fail(std::move(parsed.error()).with(kWhole));
    }
    for (auto& [name, view] : parsed->tensors) {
      checkpoint.tensors_.emplace(name, StoredTensor{.view = std::move(view)});
    }
    return checkpoint;
  }
  if (whole.error().code != Code::kNotFound) {
    return fail(std::move(whole.error()));
  }
  auto index = files.read(kIndex);
  if (!index) {
    return index.error().code == Code::kNotFound
               ? fail(Code::kNotFound, "there is neither " + std::string(kWhole) + " nor " + std::string(kIndex))
               : fail(std::move(index.error()));
  }
  auto shards = read_index(as_text(*index));
  if (!shards) {
    return fail(std::move(shards.error()));
  }
  for (const auto& [name, wanted] : *shards) {
    auto file = files.read(name);
    if (!file) {
      return fail(std::move(file.error()).with(kIndex));
    }
    auto parsed = parse_safetensors(*file);
    if (!parsed) {
      return fail(std::move(parsed.error()).with(name));
    }
    for (const std::string& tensor : wanted) {
      const auto found = parsed->tensors.find(tensor);
      if (found == parsed->tensors.end()) {
        return bad_index("tensor '" + tensor + "' is not in " + name);
      }
      checkpoint.tensors_.emplace(tensor, StoredTensor{.view = std::move(found->second)});
    }
  }
  return checkpoint;
}

const StoredTensor* Checkpoint::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace shoal::import
