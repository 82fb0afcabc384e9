#include "engine/kernels/kv_attention.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "engine/kernels/attention_parts.hpp"

namespace shoal::kernels {
namespace {

constexpr std::size_t kTile = 32;     // positions that are unpacked at once
constexpr std::size_t kQueries = 16;  // that read a tile together

// One token of one head.
struct Query {
  const float* q = nullptr;
  float* y = nullptr;
  float* scores = nullptr;
  std::size_t position = 0;
  std::size_t begin = 0;  // keys that it sees
  std::size_t end = 0;
  ScoreBias bias{};
  float highest = -INFINITY;
};

void score(Query& query, const Matrix& tile, std::size_t first, float scale) {
  const std::size_t begin = std::max(query.begin, first);
  const std::size_t end = std::min(query.end, first + tile.rows);
  const auto keep = [&](std::size_t key, float product) {
    query.scores[key] = product * scale + bias_of(query.bias, key, query.position);
    query.highest = std::max(query.highest, query.scores[key]);
  };
  std::size_t key = begin;
  for (; key + kFour <= end; key += kFour) {
    const Four products = four_products(query.q, tile, key - first);
    for (std::size_t which = 0; which < kFour; ++which) {
      keep(key + which, products[which]);
    }
  }
  for (; key < end; ++key) {
    keep(key, sum4(product(query.q, tile.row(key - first), tile.columns)));
  }
}

// y += columns of the tile's rows, each times its number, one after the other.
void add_values(const Query& query, const Matrix& tile, std::size_t first) {
  constexpr std::size_t kSums = 8;
  const std::size_t begin = std::max(query.begin, first);
  const std::size_t end = std::min(query.end, first + tile.rows);
  std::size_t column = 0;
  for (; column + kSums * kFour <= tile.columns; column += kSums * kFour) {
    Four sums[kSums];
    for (std::size_t which = 0; which < kSums; ++which) {
      sums[which] = load4(query.y + column + which * kFour);
    }
    for (std::size_t key = begin; key < end; ++key) {
      const float* from = tile.row(key - first) + column;
      for (std::size_t which = 0; which < kSums; ++which) {
        sums[which] += load4(from + which * kFour) * query.scores[key];
      }
    }
    for (std::size_t which = 0; which < kSums; ++which) {
      store4(query.y + column + which * kFour, sums[which]);
    }
  }
  for (; column < tile.columns; ++column) {
    for (std::size_t key = begin; key < end; ++key) {
      query.y[column] += query.scores[key] * tile.row(key - first)[column];
    }
  }
}

// Calls body(tile, first position) for the keys from begin to end.
template <class Body>
void over_tiles(const KvRows& rows, std::size_t begin, std::size_t end, float* tile, Body body) {
  const std::size_t width = rows.format.width;
  for (std::size_t first = begin; first < end; first += kTile) {
    const std::size_t count = std::min(kTile, end - first);
    for (std::size_t index = 0; index < count; ++index) {
      load_head(rows.format, rows.row(first + index), tile + index * width);
    }
    body(Matrix{tile, count, width, width}, first);
  }
}

void attend(const KvAttentionCall& call, std::span<Query> queries, float* tile) {
  const std::size_t width = call.k.format.width;
  std::size_t begin = queries[0].begin;
  std::size_t end = queries[0].end;
  for (const Query& query : queries) {
    begin = std::min(begin, query.begin);
    end = std::max(end, query.end);
  }
  over_tiles(call.k, begin, end, tile, [&](const Matrix& keys, std::size_t first) {
    for (Query& query : queries) {
      score(query, keys, first, call.scale);
    }
  });
  std::array<float, kQueries> sums{};
  for (std::size_t index = 0; index < queries.size(); ++index) {
    Query& query = queries[index];
    sums[index] = exponentiate(query.scores + query.begin, query.end - query.begin, query.highest);
    std::fill_n(query.y, width, 0.0F);
  }
  over_tiles(call.v, begin, end, tile, [&](const Matrix& values, std::size_t first) {
    for (const Query& query : queries) {
      add_values(query, values, first);
    }
  });
  for (std::size_t index = 0; index < queries.size(); ++index) {
    const float share = 1 / sums[index];
    for (std::size_t column = 0; column < width; ++column) {
      queries[index].y[column] *= share;
    }
    if (call.v.format.is_turned()) {
      turn(queries[index].y, width);
    }
  }
}

}  // namespace

std::size_t kv_attention_scratch(std::size_t keys, std::size_t width) {
  return kQueries * (keys + width) + kTile * width;
}

void kv_attention(const KvAttentionCall& call) {
  const std::size_t width = call.k.format.width;
  const std::size_t keys = call.k.rows;
  float* const scores = call.scratch;
  float* const turned = scores + kQueries * keys;
  float* const tile = turned + kQueries * width;
  std::array<Query, kQueries> queries;
  std::size_t count = 0;
  for (std::size_t token = 0; token < call.q.rows; ++token) {
    for (std::size_t head = 0; head < call.heads; ++head) {
      Query& query = queries[count];
      query = {.q = call.q.row(token) + head * width,
               .y = call.y.row(token) + head * width,
               .scores = scores + count * keys,
               .position = call.first_position + token,
               .bias = call.biases == nullptr ? ScoreBias() : call.biases[head]};
      query.end = call.is_causal ? query.position + 1 : keys;
      query.begin = call.window != 0 && query.end > call.window ? query.end - call.window : 0;
      if (call.k.format.is_turned()) {
        float* const copy = turned + count * width;
        std::copy_n(query.q, width, copy);
        turn(copy, width);
        query.q = copy;
      }
      if (++count == kQueries) {
        attend(call, queries, tile);
        count = 0;
      }
    }
  }
  if (count > 0) {
    attend(call, std::span(queries).first(count), tile);
  }
}

}  // namespace shoal::kernels
