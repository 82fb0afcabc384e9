// The weights of a model by the names that builders ask for: a Hugging Face directory's safetensors file, or several
// with an index; a GGUF file's tensors come from source.hpp. Files are passed in; nothing is opened here, and no
// weights are copied.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bytes.hpp"
#include "engine/core/result.hpp"
#include "engine/import/gguf/gguf_type.hpp"
#include "engine/import/safetensors.hpp"

namespace shoal::import {

// A directory, read-only. The bytes of a file stay where they are for as long as the directory lives.
class Files {
 public:
  Files() = default;
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
  virtual ~Files() = default;
  // kNotFound when there is no such file. `name` has no slash.
  virtual Result<Bytes> read(std::string_view name) = 0;
};

struct StoredTensor {
  TensorView view;
  // Set: `view` is a matrix whose rows are blocks of this type, and view.type says nothing.
  const GgufType* blocks = nullptr;
  // Not 0: the rows of each head of this many stand as interleaved rotary pairs; readers see them as two halves.
  std::uint32_t head_size = 0;
};

class Checkpoint {
 public:
  Checkpoint() = default;
  explicit Checkpoint(std::map<std::string, StoredTensor, std::less<>> tensors) : tensors_(std::move(tensors)) {}

  // Reads model.safetensors or the shards that model.safetensors.index.json names; kNotFound when there is neither.
  static Result<Checkpoint> open(Files& files);

  // The tensor, or nullptr.
  [[nodiscard]] const StoredTensor* find(std::string_view name) const;
  [[nodiscard]] std::size_t size() const { return tensors_.size(); }

 private:
  std::map<std::string, StoredTensor, std::less<>> tensors_;
};

}  // namespace shoal::import
