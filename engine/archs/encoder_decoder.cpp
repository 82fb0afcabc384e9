#include "engine/archs/encoder_decoder.hpp"

namespace shoal::archs {

CrossStates cross_states(Assembly& a, const std::string& name, const HeadCounts& counts) {
  const std::uint32_t columns = counts.kv_heads * counts.head_dim;
  return {a.graph.state(name + ".k", graph::Symbol::kMemory, columns),
          a.graph.state(name + ".v", graph::Symbol::kMemory, columns)};
}

void keep_memory(Assembly& a, TensorId memory, const std::string& key, const std::string& value,
                 const CrossStates& states) {
  const TensorId fused = a.linear(memory, {key, value});
  const std::uint32_t columns = a.graph.columns(fused) / 2;
  a.graph.apply(graph::KvAppend{},
                {a.graph.view(fused, 0, columns), a.graph.view(fused, columns, columns), states.k, states.v,
                 a.graph.input("row_starts"), a.graph.input("slots"), a.graph.input("past")});
}

TensorId cross_attention(Assembly& a, TensorId q, const CrossStates& states, const HeadCounts& counts, float scale) {
  return a.graph.apply(
      graph::Attention{.heads = counts.heads, .kv_heads = counts.kv_heads, .head_dim = counts.head_dim, .scale = scale},
      {q, states.k, states.v, a.graph.input("row_starts"), a.graph.input("slots"), a.graph.input("memory_lengths")});
}

std::int32_t decoder_start_of(Assembly& a) {
  const auto ids = a.config.ids("decoder_start_token_id");
  if (ids.size() != 1) {
    a.config.refuse("decoder_start_token_id", "one token id");
    return 0;
  }
  return ids.front();
}

}  // namespace shoal::archs
