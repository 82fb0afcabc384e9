// Makes a variant of a package: weights are quantised shard by shard, so that no more than one shard is in memory, and
// handed out as files named by their contents.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/archs/model.hpp"
#include "engine/core/bytes.hpp"
#include "engine/core/parallel.hpp"
#include "engine/core/result.hpp"
#include "engine/import/checkpoint.hpp"
#include "engine/package/description.hpp"
#include "engine/quantize/quantize.hpp"

namespace shoal::package {

// A folder that is written to.
class Output {
 public:
  Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  virtual ~Output() = default;
  // Writes a file named by the SHA-256 of its contents and this suffix, unless it is there; answers the 64 digits.
  virtual Result<std::string> write(Bytes contents, std::string_view suffix) = 0;
};

// What has been made so far.
struct Progress {
  std::string_view tensor;  // the one that comes next; empty at the end
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
};

struct WriteOptions {
  quantize::Options quantize{};
  std::function<void(const Progress&)> on_progress{};
};

// Writes shards and plan of a model whose formats are chosen. Answers a variant without a name: its plan, its sizes,
// and for each weight what storing has changed. Errors are those of Output, runtime::make_weight() and place_weights().
Result<Variant> write_variant(archs::Model& model, const import::Checkpoint& checkpoint, const WriteOptions& options,
                              Parallel& parallel, Output& output);

}  // namespace shoal::package
