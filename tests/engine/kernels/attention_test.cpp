#include "engine/kernels/attention.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace shoal::kernels {
namespace {

std::vector<float> random_floats(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(count);
  for (float& value : out) {
    value = normal(random);
  }
  return out;
}

Matrix matrix(const std::vector<float>& values, std::size_t columns) {
  return {values.data(), values.size() / columns, columns, columns};
}

struct Problem {
  std::size_t tokens, keys, head_dim, first_position, window;
  bool is_causal;
  float slope = 0;
};

// The definition, in double precision.
std::vector<double> by_definition(const Problem& p, const std::vector<float>& q, const std::vector<float>& k,
                                  const std::vector<float>& v, float scale) {
  std::vector<double> out(p.tokens * p.head_dim);
  for (std::size_t token = 0; token < p.tokens; ++token) {
    std::vector<double> weight(p.keys);
    double sum = 0;
    for (std::size_t key = 0; key < p.keys; ++key) {
      const std::size_t position = p.first_position + token;
      const bool is_seen = !p.is_causal || (key <= position && (p.window == 0 || key + p.window > position));
      double score = 0;
      for (std::size_t column = 0; column < p.head_dim; ++column) {
        score += double{q[token * p.head_dim + column]} * double{k[key * p.head_dim + column]};
      }
      weight[key] = is_seen ? std::exp(score * double{scale} + double{p.slope} * static_cast<double>(key)) : 0;
      sum += weight[key];
    }
    for (std::size_t key = 0; key < p.keys; ++key) {
      for (std::size_t column = 0; column < p.head_dim; ++column) {
        out[token * p.head_dim + column] += weight[key] / sum * double{v[key * p.head_dim + column]};
      }
    }
  }
  return out;
}

TEST(Attention, IsWhatItsDefinitionSays) {
  const Problem problems[] = {
      {.tokens = 5, .keys = 5, .head_dim = 8, .first_position = 0, .window = 0, .is_causal = false},
      {.tokens = 5, .keys = 5, .head_dim = 8, .first_position = 0, .window = 0, .is_causal = true},
      {.tokens = 1, .keys = 1, .head_dim = 1, .first_position = 0, .window = 0, .is_causal = true},
      {.tokens = 3, .keys = 70, .head_dim = 32, .first_position = 67, .window = 0, .is_causal = true},
      {.tokens = 9, .keys = 40, .head_dim = 33, .first_position = 31, .window = 8, .is_causal = true},
      {.tokens = 4, .keys = 19, .head_dim = 64, .first_position = 0, .window = 0, .is_causal = false, .slope = 0.25F},
      {.tokens = 128, .keys = 128, .head_dim = 32, .first_position = 0, .window = 0, .is_causal = false},
  };
  for (const Problem& p : problems) {
    const auto q = random_floats(p.tokens * p.head_dim, 1);
    const auto k = random_floats(p.keys * p.head_dim, 2);
    const auto v = random_floats(p.keys * p.head_dim, 3);
    const float scale = 1 / std::sqrt(static_cast<float>(p.head_dim));
    std::vector<float> y(q.size());
    std::vector<float> scratch(p.keys);
    attention({.q = matrix(q, p.head_dim),
               .k = matrix(k, p.head_dim),
               .v = matrix(v, p.head_dim),
               .scale = scale,
               .is_causal = p.is_causal,
               .first_position = p.first_position,
               .window = p.window,
               .bias = {.slope = p.slope},
               .y = {y.data(), p.tokens, p.head_dim, p.head_dim},
               .scratch = scratch.data()});
    const auto expected = by_definition(p, q, k, v, scale);
    for (std::size_t index = 0; index < y.size(); ++index) {
      ASSERT_NEAR(double{y[index]}, expected[index], 2e-6) << p.keys << " keys, element " << index;
    }
  }
}

TEST(Attention, LargeScoresDoNotOverflow) {
  const std::vector<float> q = {1000, 0, 1000, 0};
  const std::vector<float> k = {1000, 0, -1000, 0};
  const std::vector<float> v = {1, 2, 3, 4};
  std::vector<float> y(4);
  std::vector<float> scratch(2);
  attention({.q = matrix(q, 2),
             .k = matrix(k, 2),
             .v = matrix(v, 2),
             .bias = {},
             .y = {y.data(), 2, 2, 2},
             .scratch = scratch.data()});
  EXPECT_EQ(y, (std::vector<float>{1, 2, 1, 2}));
}

TEST(Attention, ABiasByDistanceIsAddedToTheScore) {
  const std::vector<float> q = {0, 0};
  const std::vector<float> v = {1, 10};
  const std::vector<float> biases = {-INFINITY, 0, std::log(3.0F)};  // distances -1, 0, 1
  std::vector<float> y(2);
  std::vector<float> scratch(2);
  attention({.q = matrix(q, 1),
             .k = matrix(q, 1),
             .v = matrix(v, 1),
             .bias = {.of_distance = biases.data() + 1},
             .y = {y.data(), 2, 1, 1},
             .scratch = scratch.data()});
  EXPECT_FLOAT_EQ(y[0], (1 + 3 * 10) / 4.0F);  // token 0 sees key 1 at distance 1
  EXPECT_FLOAT_EQ(y[1], 10);                   // token 1 does not see key 0
}

// Values of T5's _relative_position_bucket.
TEST(RelativeBucket, IsThatOfT5) {
  const std::pair<std::int32_t, std::int32_t> bidirectional[] = {{0, 0},   {-1, 1},  {1, 17},   {-7, 7},   {-8, 8},
                                                                 {-12, 9}, {16, 26}, {-16, 10}, {200, 31}, {-200, 15}};
  for (const auto& [distance, bucket] : bidirectional) {
    EXPECT_EQ(relative_bucket(distance, true, 32, 128), bucket) << distance;
  }
  const std::pair<std::int32_t, std::int32_t> causal[] = {{0, 0},    {5, 0},    {-1, 1},    {-15, 15},
                                                          {-16, 16}, {-20, 17}, {-128, 31}, {-5000, 31}};
  for (const auto& [distance, bucket] : causal) {
    EXPECT_EQ(relative_bucket(distance, false, 32, 128), bucket) << distance;
  }
}

}  // namespace
}  // namespace shoal::kernels
