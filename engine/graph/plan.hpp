// A compiled model: tensors and, for each signature, operations in the order in which they run. A plan holds no
// weights; it says which there are and, in a package, where they lie. Nothing runs a plan that verify.hpp has not
// accepted.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/formats/block_format.hpp"
#include "engine/graph/dims.hpp"
#include "engine/graph/op.hpp"

namespace shoal::graph {

enum class TensorKind : std::uint8_t {
  kInput,   // filled in by the caller of each step; see kInputs
  kWeight,  // constant, shared by all signatures
  kState,   // lives from step to step, shared by all signatures: the keys and values of N sequences
  kValue,   // made by one operation of one signature
};
enum class Element : std::uint8_t { kF32, kI32 };

// Of a weight that lies in no file.
inline constexpr std::uint32_t kNoShard = 0xFFFFFFFF;

struct Tensor {
  std::string name;  // unique among inputs, weights and states; of values a hint for people
  TensorKind kind = TensorKind::kValue;
  Element element = Element::kF32;
  formats::BlockFormat format{};  // of weights
  Shape shape{};
  // A value may be a range of another value's columns. It has no memory of its own and is made by no operation.
  TensorId view_of = kNoTensor;
  std::uint32_t view_column = 0;
  std::uint32_t buffer = 0;  // of values that are no views: index into Signature::buffers
  // Of weights, in a plan that has shards: index into Plan::shards, and bytes from its start, a multiple of 64.
  std::uint32_t shard = kNoShard;
  std::uint64_t offset = 0;
};

// The inputs that a step has, by name. All are 32-bit integers.
struct InputRow {
  std::string_view name;
  Dim extent;
};
inline constexpr std::array<InputRow, 8> kInputs = {{
    {"tokens", {Symbol::kTokens, 0}},
    {"positions", {Symbol::kTokens, 0}},       // of each token in its row's sequence, from 0
    {"token_types", {Symbol::kTokens, 0}},     // segment of a pair
    {"row_starts", {Symbol::kRows, 1}},        // ascending from 0 to T
    {"slots", {Symbol::kRows, 0}},             // where the row's state lies
    {"past", {Symbol::kRows, 0}},              // positions in the slot before this step
    {"memory_lengths", {Symbol::kRows, 0}},    // positions of the encoder's output in the slot
    {"output_tokens", {Symbol::kOutputs, 0}},  // tokens whose logits are wanted
}};

// The row of this name, or null.
constexpr const InputRow* find_input(std::string_view name) {
  for (const InputRow& row : kInputs) {
    if (row.name == name) {
      return &row;
    }
  }
  return nullptr;
}

// Memory of values whose lifetimes do not overlap: rows of `columns` floats.
struct Buffer {
  Dim rows;
  std::uint32_t columns = 0;
};

// A run of operations that belongs together: a place to stop, to stream weights, to split across workers.
struct Layer {
  std::string name;
  std::uint32_t first_op = 0;
  std::uint32_t op_count = 0;
};

struct Output {
  std::string name;
  TensorId tensor = kNoTensor;
};

struct Signature {
  std::string name;  // "encode", "decode"
  std::vector<TensorId> inputs;
  std::vector<Op> ops;
  std::vector<Layer> layers;  // together they cover the operations in order
  std::vector<Output> outputs;
  std::vector<Buffer> buffers;
};

// A file of weights, named by its contents.
struct Shard {
  std::string sha256;  // 64 lower-case hexadecimal digits
  std::uint64_t bytes = 0;
};

struct Plan {
  std::string architecture;  // the model_type it was made from
  std::vector<Tensor> tensors;
  std::vector<Signature> signatures;
  std::vector<Shard> shards;  // none: the weights are made of a checkpoint (engine/import/recipe.hpp)

  [[nodiscard]] const Signature* find(std::string_view signature) const {
    for (const Signature& one : signatures) {
      if (one.name == signature) {
        return &one;
      }
    }
    return nullptr;
  }
  [[nodiscard]] const Tensor* find_tensor(TensorId id) const { return id < tensors.size() ? &tensors[id] : nullptr; }
};

}  // namespace shoal::graph
