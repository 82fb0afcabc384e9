// package.json: what a folder <name>/<version>/ of the model repository holds. The grammar, with a worked example, is
// docs/packages.md. Pure: text in, values out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/archs/model.hpp"
#include "engine/core/result.hpp"

namespace shoal::package {

inline constexpr std::uint32_t kFormat = 1;
inline constexpr std::string_view kDescriptionFile = "package.json";
inline constexpr std::size_t kMaxDescriptionBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxVariants = 64;
inline constexpr std::size_t kMaxListed = 1U << 18;  // of any other list

// A file of the package's folder or of its source.
struct FileEntry {
  std::string file{};
  std::string sha256{};
  std::uint64_t bytes = 0;
};

// What storing has done to one matrix: sqrt(sum of squared errors / sum of squares), and the largest difference.
struct TensorReport {
  std::string name{};
  std::string format{};  // formats::format_name()
  std::uint64_t bytes = 0;
  double relative_error = 0;
  double largest_error = 0;
};

// One set of weights. Which shards it has, its plan says.
struct Variant {
  std::string name{};
  std::uint32_t bits = 0;  // as asked for; single tensors may have others
  bool is_mixed = false;
  FileEntry plan{};
  std::uint64_t weight_bytes = 0;   // of all its shards
  std::string method{};             // "search", "nearest"
  std::vector<std::string> keep{};  // PATTERN=BITS
  double relative_error = 0;        // of all matrices together
  std::vector<TensorReport> tensors{};
};

// Of a sentence encoder: the output of the plan that is its vector.
struct Embedding {
  std::string output{};
  std::uint32_t width = 0;
  std::string pooling{};  // "mean", "cls"
  bool is_normalized = false;
};

struct Origin {
  std::string kind{};  // "huggingface", "gguf"
  std::string name{};  // the folder or the file, without its path
  std::vector<FileEntry> files{};
};

struct Description {
  std::string name{};
  archs::ModelClass model_class = archs::ModelClass::kEncoder;
  std::string architecture{};
  std::uint32_t vocabulary = 0;
  std::uint32_t context = 0;  // tokens at most; 0 = unbounded
  std::vector<std::int32_t> eos{};
  std::int32_t decoder_start = -1;  // -1: none
  std::optional<Embedding> embedding{};
  std::vector<Variant> variants{};  // at least one
  std::string default_variant{};    // one of them
  Origin source{};
  std::string licence{};  // empty: the source does not say

  // The variant of this name, nullptr when there is none; an empty name is the default one.
  [[nodiscard]] const Variant* find(std::string_view variant) const;
};

// "encoder", "decoder", "encoder-decoder".
std::string_view class_name(archs::ModelClass model_class);

// kInvalidArgument names the field at fault (Error::param) and what was expected. Unknown fields are ignored.
Result<Description> parse_description(std::string_view json);
std::string write_description(const Description& description);

}  // namespace shoal::package
