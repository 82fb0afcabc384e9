// The C ABI of a PlanSession, in the order in which an embedder calls it. Pointers and sizes are u32. What can fail
// gives 0 for a pointer or a code of engine/core/code.hpp as status, 0 = done; shoal_error() then says more.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include "engine/wasm/last_error.hpp"
#include "engine/wasm/plan_session.hpp"

namespace shoal::wasm {
namespace {

// Text in this memory, UTF-8, not terminated.
struct TextView {
  const char* data;
  std::uint32_t size;
};

struct ErrorView {
  std::uint32_t code;
  TextView message;
  TextView param;
};

struct MemoryView {
  std::uint32_t weights;
  std::uint32_t values;
  std::uint32_t state;
  std::uint32_t scratch;
};

// Of an output: `symbol` counts its rows (engine/graph/dims.hpp). After a run `data` has `rows` rows of `columns`
// floats, each `stride` floats after the one before; without one `data` is 0.
struct OutputView {
  TextView name;
  std::uint32_t symbol;
  std::uint32_t columns;
  const float* data;
  std::uint32_t rows;
  std::uint32_t stride;
};

ErrorView error_view;
MemoryView memory_view;
OutputView output_view;

std::uint32_t size_of(std::uint64_t size) { return static_cast<std::uint32_t>(size); }

TextView text_of(std::string_view text) { return {text.data(), size_of(text.size())}; }

template <class T>
std::remove_reference_t<T>* pointer_or_null(Result<T>& result) {
  if (!result) {
    keep_error(std::move(result.error()));
    return nullptr;
  }
  return &*result;
}

}  // namespace

extern "C" {

// What failed last.
__attribute__((export_name("shoal_error"))) const ErrorView* shoal_error() {
  error_view = {static_cast<std::uint32_t>(last_error.code), text_of(last_error.message), text_of(last_error.param)};
  return &error_view;
}

// The session of the plan in file[size], which may be freed afterwards; or 0.
__attribute__((export_name("shoal_plan_open"))) PlanSession* shoal_plan_open(const std::byte* file, std::size_t size) {
  auto session = PlanSession::open({file, size});
  auto* opened = pointer_or_null(session);
  return opened == nullptr ? nullptr : opened->release();
}

// Frees the session with its weights, state and values.
__attribute__((export_name("shoal_plan_close"))) void shoal_plan_close(PlanSession* session) { delete session; }

// Operations of all signatures together.
__attribute__((export_name("shoal_plan_op_count"))) std::uint32_t shoal_plan_op_count(const PlanSession* session) {
  std::size_t count = 0;
  for (const graph::Signature& signature : session->plan().signatures) {
    count += signature.ops.size();
  }
  return size_of(count);
}

__attribute__((export_name("shoal_plan_shard_count"))) std::uint32_t shoal_plan_shard_count(
    const PlanSession* session) {
  return size_of(session->plan().shards.size());
}

__attribute__((export_name("shoal_plan_shard_bytes"))) std::uint32_t shoal_plan_shard_bytes(const PlanSession* session,
                                                                                            std::size_t index) {
  return size_of(session->plan().shards[index].bytes);
}

// The shard's name: 64 hexadecimal digits.
__attribute__((export_name("shoal_plan_shard_sha256"))) const char* shoal_plan_shard_sha256(const PlanSession* session,
                                                                                            std::size_t index) {
  return session->plan().shards[index].sha256.data();
}

// Where the shard's bytes belong, or 0.
__attribute__((export_name("shoal_plan_shard_memory"))) std::byte* shoal_plan_shard_memory(PlanSession* session,
                                                                                           std::size_t index) {
  auto memory = session->shard(index);
  auto* place = pointer_or_null(memory);
  return place == nullptr ? nullptr : *place;
}

// Makes the executor; limits[9] are the largest extents by the numbers of the symbols, then the bits of keys and of
// values. After all shards are there.
__attribute__((export_name("shoal_plan_prepare"))) std::uint32_t shoal_plan_prepare(PlanSession* session,
                                                                                    const std::uint32_t* limits) {
  graph::Extents extents;
  std::copy_n(limits, graph::kSymbolCount, extents.of.begin());
  return status_of(session->prepare(extents, {limits[graph::kSymbolCount], limits[graph::kSymbolCount + 1]}));
}

// Bytes that are taken; after shoal_plan_prepare.
__attribute__((export_name("shoal_plan_memory"))) const MemoryView* shoal_plan_memory(const PlanSession* session) {
  const runtime::MemoryUse use = session->executor()->memory();
  memory_view = {size_of(session->weight_bytes()), size_of(use.values), size_of(use.state), size_of(use.scratch)};
  return &memory_view;
}

// The number of the signature called name[size], or -1.
__attribute__((export_name("shoal_plan_signature"))) std::int32_t shoal_plan_signature(const PlanSession* session,
                                                                                       const char* name,
                                                                                       std::size_t size) {
  const graph::Signature* found = session->plan().find({name, size});
  return found == nullptr ? -1 : static_cast<std::int32_t>(found - session->plan().signatures.data());
}

__attribute__((export_name("shoal_plan_output_count"))) std::uint32_t shoal_plan_output_count(
    const PlanSession* session, std::size_t signature) {
  return size_of(session->plan().signatures[signature].outputs.size());
}

__attribute__((export_name("shoal_plan_output"))) const OutputView* shoal_plan_output(const PlanSession* session,
                                                                                      std::size_t signature,
                                                                                      std::size_t index) {
  const graph::Output& output = session->plan().signatures[signature].outputs[index];
  const graph::Shape& shape = session->plan().tensors[output.tensor].shape;
  output_view = {.name = text_of(output.name),
                 .symbol = static_cast<std::uint32_t>(shape[0].symbol),
                 .columns = shape[1].size,
                 .data = nullptr,
                 .rows = 0,
                 .stride = 0};
  if (session->executor() != nullptr) {
    if (const auto matrix = session->executor()->output(output.name)) {
      output_view.data = matrix->data;
      output_view.rows = size_of(matrix->rows);
      output_view.stride = size_of(matrix->stride);
    }
  }
  return &output_view;
}

// Begins the signature with rows[row_count] of tokens[token_count]; token_types is as long, or 0 for none. They may be
// freed afterwards.
__attribute__((export_name("shoal_plan_begin"))) std::uint32_t shoal_plan_begin(
    PlanSession* session, std::size_t signature, const RowView* rows, std::size_t row_count, const std::int32_t* tokens,
    std::size_t token_count, const std::int32_t* token_types) {
  const std::span<const std::int32_t> types =
      token_types == nullptr ? std::span<const std::int32_t>{} : std::span(token_types, token_count);
  return status_of(
      session->begin(session->plan().signatures[signature], {rows, row_count}, {tokens, token_count}, types));
}

__attribute__((export_name("shoal_plan_layers_left"))) std::uint32_t shoal_plan_layers_left(
    const PlanSession* session) {
  return size_of(session->layers_left());
}

__attribute__((export_name("shoal_plan_run_layer"))) std::uint32_t shoal_plan_run_layer(PlanSession* session) {
  return status_of(session->run_layer());
}

}  // extern "C"

}  // namespace shoal::wasm
