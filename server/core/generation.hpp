// What a request for generated tokens says beside its prompt. A value, as the agent protocol's Generate; ranges are
// those of engine/runtime/sampler.hpp and are checked there.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace shoal {

struct SamplingOptions {
  float temperature = 0;         // 0: always the likeliest token
  std::uint32_t top_k = 0;       // 0 is all
  float top_p = 1;               // above 0, up to 1
  float min_p = 0;               // from 0 up to 1
  float repetition_penalty = 1;  // above 0; 1 is none
  float presence_penalty = 0;
  float frequency_penalty = 0;
  std::uint64_t seed = 0;
  std::vector<std::pair<std::uint32_t, float>> logit_bias = {};  // each id once
};

struct GenerateOptions {
  std::uint32_t max_tokens = 0;
  std::vector<std::uint32_t> stop_ids = {};  // each ends the answer, and is no part of it
  std::int32_t decoder_start = 0;            // of an encoder-decoder: what its answer begins with
  SamplingOptions sampling = {};
  // Beside its tokens each response has `logprobs` FP32 [k]: natural logarithms of their probabilities, before
  // penalties and temperature; and of the n likeliest `top_ids` INT32 [k, n] and `top_logprobs` FP32 [k, n].
  bool wants_logprobs = false;
  std::uint32_t top_logprobs = 0;
  bool is_masked = false;       // no token is drawn before its mask has come
  std::string prefix_key = {};  // what a worker has read of a prompt serves others of the same key only
};

}  // namespace shoal
