// A KServe call of a model that generates: text and parameters to what is generated. Pure.
#pragma once

#include <span>

#include "engine/core/result.hpp"
#include "server/core/tensor.hpp"
#include "server/dispatch/inference.hpp"
#include "server/wire/parameters.hpp"

namespace shoal::api::kserve {

// Of an answer where a request does not say it, as vLLM has it.
inline constexpr std::uint32_t kDefaultMaxTokens = 16;

// The input text_input (or tokens), and what Triton's backend for vLLM takes as inputs: `stream`, `sampling_parameters`
// (a JSON object of parameters; those of the request go before it) and `exclude_input_in_output`, which must be true;
// and `stop`, where it is several. And the parameters max_tokens, temperature, top_k, top_p, min_p, repetition_penalty,
// presence_penalty, frequency_penalty, seed, stop, cache_salt, ignore_eos and stream; others are not looked at.
// kInvalidArgument naming the parameter. Requires: models::validate() has accepted the inputs.
Result<dispatch::TextRequest> text_request(std::span<const Tensor> inputs, const wire::Parameters& parameters);

}  // namespace shoal::api::kserve
