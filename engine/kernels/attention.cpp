#include "engine/kernels/attention.hpp"

#include <algorithm>
#include <cmath>

#include "engine/kernels/attention_parts.hpp"
#include "engine/kernels/four.hpp"

namespace shoal::kernels {
namespace {

// out [kSums * 4] = columns of the rows begin to end of v, each times its number, added one after the other.
template <std::size_t kSums>
void add_columns(const Matrix& v, std::size_t column, const float* numbers, std::size_t begin, std::size_t end,
                 float* out) {
  Four sums[kSums] = {};
  for (std::size_t row = begin; row < end; ++row) {
    const float* from = v.row(row) + column;
    for (std::size_t which = 0; which < kSums; ++which) {
      sums[which] += load4(from + which * kFour) * numbers[row];
    }
  }
  for (std::size_t which = 0; which < kSums; ++which) {
    store4(out + which * kFour, sums[which]);
  }
}

void add_values(const Matrix& v, const float* numbers, std::size_t begin, std::size_t end, float* out) {
  constexpr std::size_t kSums = 8;
  std::size_t column = 0;
  for (; column + kSums * kFour <= v.columns; column += kSums * kFour) {
    add_columns<kSums>(v, column, numbers, begin, end, out + column);
  }
  for (; column + kFour <= v.columns; column += kFour) {
    add_columns<1>(v, column, numbers, begin, end, out + column);
  }
  for (; column < v.columns; ++column) {
    float sum = 0;
    for (std::size_t row = begin; row < end; ++row) {
      sum += numbers[row] * v.row(row)[column];
    }
    out[column] = sum;
  }
}

void attend(const AttentionCall& call, std::size_t token) {
  const std::size_t position = call.first_position + token;
  const std::size_t end = call.is_causal ? position + 1 : call.k.rows;
  const std::size_t begin = call.window != 0 && end > call.window ? end - call.window : 0;
  float* scores = call.scratch;
  float highest = -INFINITY;
  const auto keep = [&](std::size_t key, float product) {
    scores[key] = product * call.scale + bias_of(call.bias, key, position);
    highest = std::max(highest, scores[key]);
  };
  std::size_t key = begin;
  for (; key + kFour <= end; key += kFour) {
    const Four products = four_products(call.q.row(token), call.k, key);
    for (std::size_t which = 0; which < kFour; ++which) {
      keep(key + which, products[which]);
    }
  }
  for (; key < end; ++key) {
    keep(key, sum4(product(call.q.row(token), call.k.row(key), call.q.columns)));
  }
  const float sum = exponentiate(scores + begin, end - begin, highest);
  add_values(call.v, scores, begin, end, call.y.row(token));
  const float share = 1 / sum;
  for (std::size_t column = 0; column < call.y.columns; ++column) {
    call.y.row(token)[column] *= share;
  }
}

}  // namespace

void attention(const AttentionCall& call) {
  for (std::size_t token = 0; token < call.q.rows; ++token) {
    attend(call, token);
  }
}

std::int32_t relative_bucket(std::int32_t distance, bool is_bidirectional, std::int32_t buckets,
                             std::int32_t max_distance) {
  std::int32_t first = 0;
  if (is_bidirectional) {
    buckets /= 2;
    first = distance > 0 ? buckets : 0;
    distance = std::abs(distance);
  } else {
    distance = std::max(-distance, 0);
  }
  const std::int32_t exact = buckets / 2;
  if (distance < exact) {
    return first + distance;
  }
  const float ratio = std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
                      std::log(static_cast<float>(max_distance) / static_cast<float>(exact));
  const auto above = static_cast<std::int32_t>(ratio * static_cast<float>(buckets - exact));
  return first + std::min(exact + above, buckets - 1);
}

}  // namespace shoal::kernels
