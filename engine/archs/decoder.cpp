#include "engine/archs/decoder.hpp"

#include <algorithm>
#include <cmath>

namespace shoal::archs {

HeadCounts head_counts(Assembly& a, std::uint32_t hidden, std::string_view heads_key, std::string_view kv_heads_key) {
  HeadCounts out;
  out.heads = a.config.count(heads_key);
  out.kv_heads = a.config.count(kv_heads_key, out.heads);
  out.head_dim = a.config.count("head_dim", std::max(hidden / out.heads, 1U));
  if (out.heads % out.kv_heads != 0) {
    a.config.refuse(kv_heads_key, "a divisor of the number of heads");
  }
  constexpr std::uint32_t kMost = 1U << 12;
  if (out.heads > kMost || out.head_dim > kMost) {
    a.config.refuse(heads_key, "at most 4096");
    return {1, 1, 1};
  }
  return out;
}

Qkv split(Assembly& a, TensorId fused, const HeadCounts& counts) {
  const std::uint32_t q = counts.heads * counts.head_dim;
  const std::uint32_t kv = counts.kv_heads * counts.head_dim;
  return {a.graph.view(fused, 0, q), a.graph.view(fused, q, kv), a.graph.view(fused, q + kv, kv)};
}

TensorId cached_attention(Assembly& a, const Qkv& qkv, const std::string& name, const CachedAttention& attention) {
  const HeadCounts& counts = attention.counts;
  const std::uint32_t columns = counts.kv_heads * counts.head_dim;
  const TensorId k = a.graph.state(name + ".k", graph::Symbol::kContext, columns);
  const TensorId v = a.graph.state(name + ".v", graph::Symbol::kContext, columns);
  const TensorId starts = a.graph.input("row_starts");
  const TensorId slots = a.graph.input("slots");
  const TensorId past = a.graph.input("past");
  a.graph.apply(graph::KvAppend{}, {qkv.k, qkv.v, k, v, starts, slots, past});
  const float scale = attention.scale == 0 ? 1 / std::sqrt(static_cast<float>(counts.head_dim)) : attention.scale;
  return a.graph.apply(graph::Attention{.heads = counts.heads,
                                        .kv_heads = counts.kv_heads,
                                        .head_dim = counts.head_dim,
                                        .scale = scale,
                                        .mask = graph::AttentionMask::kCausal,
                                        .window = attention.window,
                                        .bias = attention.bias,
                                        .max_distance = attention.max_distance},
                       {qkv.q, k, v, starts, slots, past, attention.bias_weight});
}

namespace {

// Llama 3: long waves are stretched, short ones kept, those between blended.
void scale_as_llama3(Assembly& a, std::vector<float>& frequencies) {
  const float factor = a.config.number("rope_scaling.factor");
  const float low = a.config.number("rope_scaling.low_freq_factor");
  const float high = a.config.number("rope_scaling.high_freq_factor");
  const auto context = static_cast<float>(a.config.count("rope_scaling.original_max_position_embeddings"));
  constexpr float kTurn = 6.283185307179586F;
  for (float& frequency : frequencies) {
    const float wave = kTurn / frequency;
    if (wave > context / low) {
      frequency /= factor;
    } else if (wave >= context / high) {
      const float share = (context / wave - low) / (high - low);
      frequency = (1 - share) * frequency / factor + share * frequency;
    }
  }
}

}  // namespace

std::vector<float> plain_frequencies(std::uint32_t dim, float theta) {
  std::vector<float> out;
  for (std::uint32_t index = 0; index < dim / 2; ++index) {
    const float exponent = static_cast<float>(2 * index) / static_cast<float>(dim);
    out.push_back(1 / std::pow(theta, exponent));
  }
  return out;
}

std::vector<float> rope_frequencies(Assembly& a, std::uint32_t dim, float theta) {
  std::vector<float> out = plain_frequencies(dim, theta);
  if (!a.config.has("rope_scaling")) {
    return out;
  }
  const std::string kind = a.config.text("rope_scaling.rope_type", a.config.text("rope_scaling.type", "default"));
  if (kind == "llama3") {
    scale_as_llama3(a, out);
  } else if (kind == "divisors") {
    const std::vector<float> divisors = a.config.numbers("rope_scaling.divisors");
    if (divisors.size() != out.size() || std::ranges::find(divisors, 0.0F) != divisors.end()) {
      a.config.refuse("rope_scaling.divisors", "a number other than 0 for each frequency");
      return out;
    }
    for (std::size_t index = 0; index < out.size(); ++index) {
      out[index] /= divisors[index];
    }
  } else if (kind == "linear") {
    const float factor = a.config.number("rope_scaling.factor");
    for (float& frequency : out) {
      frequency /= factor;
    }
  } else if (kind != "default") {
    a.unsupported("rope_scaling.rope_type", "'" + kind + "'");
  }
  return out;
}

TensorId rope_angles(Assembly& a, const std::string& name, std::vector<float> frequencies) {
  return a.graph.apply(graph::RopeAngles{}, {a.graph.input("positions"), a.numbers(name, std::move(frequencies))});
}

std::vector<float> alibi_slopes(std::uint32_t heads, float factor) {
  std::uint32_t power = 1;
  while (power * 2 <= heads) {
    power *= 2;
  }
  const auto base_of = [](std::uint32_t count) { return std::exp2(-8 / static_cast<float>(count)); };
  std::vector<float> out;
  for (std::uint32_t head = 0; head < heads; ++head) {
    const bool is_extra = head >= power;
    const float base = base_of(is_extra ? 2 * power : power);
    const auto exponent = static_cast<float>(is_extra ? 2 * (head - power) + 1 : head + 1);
    out.push_back(std::pow(base, exponent) * factor);
  }
  return out;
}

TensorId wanted_rows(Assembly& a, TensorId x) {
  return a.graph.apply(graph::Gather{}, {x, a.graph.input("output_tokens")});
}

void language_head(Assembly& a, TensorId x, const std::string& head, const std::string& table) {
  a.graph.output("logits", a.linear_of(x, a.matrix(a.has(head) ? head : table), kNoTensor));
}

}  // namespace shoal::archs
