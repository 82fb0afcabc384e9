// The weights of a Hugging Face directory: one safetensors file, or several with an index. Files are passed in; nothing
// is opened here, and no weights are copied.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bytes.hpp"
#include "engine/core/result.hpp"
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

class Checkpoint {
 public:
  // Reads model.safetensors or the shards that model.safetensors.index.json names; kNotFound when there is neither.
  static Result<Checkpoint> open(Files& files);

  // The tensor, or nullptr.
  [[nodiscard]] const TensorView* find(std::string_view name) const;
  [[nodiscard]] std::size_t size() const { return tensors_.size(); }

 private:
  std::map<std::string, TensorView, std::less<>> tensors_;
};

}  // namespace shoal::import
