#include "engine/kernels/attention.hpp"

#include <algorithm>
#include <cmath>

#include "engine/kernels/four.hpp"

namespace shoal::kernels {
namespace {

float dot(const float* a, const float* b, std::size_t count) {
  constexpr std::size_t kSums = 4;
  Four sums[kSums] = {};
  std::size_t index = 0;
  for (; index + kSums * kFour <= count; index += kSums * kFour) {
    for (std::size_t which = 0; which < kSums; ++which) {
      sums[which] += load4(a + index + which * kFour) * load4(b + index + which * kFour);
    }
  }
  for (; index + kFour <= count; index += kFour) {
    sums[0] += load4(a + index) * load4(b + index);
  }
  sums[1] += load_some(a + index, count - index) * load_some(b + index, count - index);
  return sum4((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

// Numbers become e^(number - highest).
void exponentiate(float* numbers, std::size_t count, float highest) {
  std::size_t index = 0;
  for (; index + kFour <= count; index += kFour) {
    store4(numbers + index, exp4(load4(numbers + index) - highest));
  }
  const std::size_t rest = count - index;
  store_some(numbers + index, exp4(load_some(numbers + index, rest) - highest), rest);
}

// out [columns] = the rows begin to end of v, each times its number, added one after the other.
void add_values(const Matrix& v, const float* numbers, std::size_t begin, std::size_t end, float* out) {
  // Rows of one pass over the sums: fewer passes, and still the order of the rows.
  constexpr std::size_t kRows = 4;
  std::fill_n(out, v.columns, 0.0F);
  std::size_t row = begin;
  for (; row + kRows <= end; row += kRows) {
    for (std::size_t column = 0; column < v.columns; ++column) {
      float sum = out[column];
      for (std::size_t which = 0; which < kRows; ++which) {
        sum += numbers[row + which] * v.row(row + which)[column];
      }
      out[column] = sum;
    }
  }
  for (; row < end; ++row) {
    for (std::size_t column = 0; column < v.columns; ++column) {
      out[column] += numbers[row] * v.row(row)[column];
    }
  }
}

float bias_of(const ScoreBias& bias, std::size_t key, std::size_t query) {
  const float sum = bias.slope * static_cast<float>(key);
  if (bias.of_distance == nullptr) {
    return sum;
  }
  return sum + bias.of_distance[static_cast<std::ptrdiff_t>(key) - static_cast<std::ptrdiff_t>(query)];
}

void attend(const AttentionCall& call, std::size_t token) {
  const std::size_t position = call.first_position + token;
  const std::size_t end = call.is_causal ? position + 1 : call.k.rows;
  const std::size_t begin = call.window != 0 && end > call.window ? end - call.window : 0;
  float* scores = call.scratch;
  float highest = -INFINITY;
  for (std::size_t key = begin; key < end; ++key) {
    const float score = dot(call.q.row(token), call.k.row(key), call.q.columns) * call.scale;
    scores[key] = score + bias_of(call.bias, key, position);
    highest = std::max(highest, scores[key]);
  }
  exponentiate(scores + begin, end - begin, highest);
  float sum = 0;
  for (std::size_t key = begin; key < end; ++key) {
    sum += scores[key];
  }
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
