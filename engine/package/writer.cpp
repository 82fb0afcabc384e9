#include "engine/package/writer.hpp"

#include <cmath>
#include <span>

#include "engine/core/aligned_bytes.hpp"
#include "engine/graph/places.hpp"
#include "engine/graph/plan_file.hpp"
#include "engine/package/shards.hpp"
#include "engine/runtime/make_weight.hpp"

namespace shoal::package {
namespace {

class Writer {
 public:
  Writer(archs::Model& model, const import::Checkpoint& checkpoint, const WriteOptions& options, Parallel& parallel)
      : model_(model), checkpoint_(checkpoint), options_(options), parallel_(parallel) {}

  Result<Variant> run(Output& output) {
    const auto contents = place_weights(model_.plan);
    if (!contents) {
      return fail(contents.error());
    }
    for (const graph::Shard& shard : model_.plan.shards) {
      variant_.weight_bytes += shard.bytes;
    }
    for (std::size_t index = 0; index < contents->size(); ++index) {
      if (auto done = write_shard(model_.plan.shards[index], (*contents)[index], output); !done) {
        return fail(std::move(done.error()));
      }
    }
    tell({});
    const auto plan = graph::write_plan(model_.plan);
    auto name = output.write(std::as_bytes(std::span(plan)), ".plan");
    if (!name) {
      return fail(std::move(name.error()));
    }
    variant_.plan = {.file = *name + ".plan", .sha256 = *name, .bytes = plan.size()};
    variant_.relative_error = std::sqrt(total_.relative());
    return std::move(variant_);
  }

 private:
  void tell(std::string_view tensor) const {
    if (options_.on_progress) {
      options_.on_progress({tensor, bytes_done_, variant_.weight_bytes});
    }
  }

  Status write_shard(graph::Shard& shard, const std::vector<graph::TensorId>& weights, Output& output) {
    const auto memory = AlignedBytes::make(shard.bytes);
    if (!memory) {
      return fail(memory.error());
    }
    for (const graph::TensorId id : weights) {
      const graph::Tensor& tensor = model_.plan.tensors[id];
      tell(tensor.name);
      if (auto made = write_weight(id, *memory); !made) {
        return fail(std::move(made.error()).with("weight '" + tensor.name + "'"));
      }
    }
    auto name = output.write({memory->data(), memory->size()}, ".weights");
    if (!name) {
      return fail(std::move(name.error()));
    }
    shard.sha256 = std::move(*name);
    return {};
  }

  Status write_weight(graph::TensorId id, const AlignedBytes& memory) {
    const graph::Tensor& tensor = model_.plan.tensors[id];
    const auto bytes = graph::stored_bytes(tensor);
    if (!bytes) {
      return fail(bytes.error());
    }
    const std::span out(memory.data() + tensor.offset, static_cast<std::size_t>(*bytes));
    quantize::StorageError error;
    if (auto made =
            runtime::make_weight(tensor, model_.recipes[id], checkpoint_, options_.quantize, parallel_, out, &error);
        !made) {
      return made;
    }
    total_.add(error);
    bytes_done_ += *bytes;
    if (tensor.shape.size() == 2) {
      variant_.tensors.push_back({.name = tensor.name,
                                  .format = formats::format_name(tensor.format),
                                  .bytes = *bytes,
                                  .relative_error = std::sqrt(error.relative()),
                                  .largest_error = error.largest});
    }
    return {};
  }

  archs::Model& model_;
  const import::Checkpoint& checkpoint_;
  const WriteOptions& options_;
  Parallel& parallel_;
  Variant variant_;
  quantize::StorageError total_;
  std::uint64_t bytes_done_ = 0;
};

}  // namespace

Result<Variant> write_variant(archs::Model& model, const import::Checkpoint& checkpoint, const WriteOptions& options,
                              Parallel& parallel, Output& output) {
  return Writer(model, checkpoint, options, parallel).run(output);
}

}  // namespace shoal::package
