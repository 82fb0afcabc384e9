// The C ABI of an answer that a PlanSession makes: begun once, then step by step, each step layer by layer
// (shoal_plan_run_layer).
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "engine/wasm/last_error.hpp"
#include "engine/wasm/plan_session.hpp"

namespace shoal::wasm {
namespace {

// As the embedder writes it: 32-bit words in this order. What 0 means is said in runtime::SamplingOptions; here 0 is
// "off" for the penalty of repetition and for top_p too.
struct GenerateView {
  std::uint32_t max_tokens;
  std::int32_t decoder_start;
  float temperature;
  std::uint32_t top_k;
  float top_p;
  float min_p;
  float repetition_penalty;
  float presence_penalty;
  float frequency_penalty;
  std::uint32_t seed_low;
  std::uint32_t seed_high;
  const std::int32_t* stop_ids;
  std::uint32_t stop_count;
  const std::int32_t* bias_ids;
  const float* biases;
  std::uint32_t bias_count;
};

constexpr std::int32_t kNoToken = -1;
constexpr std::int32_t kFailed = -2;

runtime::GenerationOptions options_of(const GenerateView& view) {
  runtime::GenerationOptions out{.max_tokens = view.max_tokens,
                                 .stop_ids = {view.stop_ids, view.stop_ids + view.stop_count},
                                 .decoder_start = view.decoder_start};
  runtime::SamplingOptions& sampling = out.sampling;
  sampling.temperature = view.temperature;
  sampling.top_k = view.top_k;
  sampling.top_p = view.top_p == 0 ? 1 : view.top_p;
  sampling.min_p = view.min_p;
  sampling.repetition_penalty = view.repetition_penalty == 0 ? 1 : view.repetition_penalty;
  sampling.presence_penalty = view.presence_penalty;
  sampling.frequency_penalty = view.frequency_penalty;
  sampling.seed = std::uint64_t{view.seed_high} << 32 | view.seed_low;
  for (std::uint32_t index = 0; index < view.bias_count; ++index) {
    sampling.logit_bias.emplace_back(view.bias_ids[index], view.biases[index]);
  }
  return out;
}

}  // namespace

extern "C" {

// Begins an answer to tokens[count]. The view and what it points to may be freed afterwards.
__attribute__((export_name("shoal_generate"))) std::uint32_t shoal_generate(PlanSession* session,
                                                                            const std::int32_t* tokens,
                                                                            std::size_t count,
                                                                            const GenerateView* view) {
  return status_of(session->generate({tokens, tokens + count}, options_of(*view)));
}

// 0 while the answer is being made, then 1 + the number of its runtime::FinishReason.
__attribute__((export_name("shoal_generate_finished"))) std::uint32_t shoal_generate_finished(
    const PlanSession* session) {
  const auto reason = session->generation()->finished();
  return reason ? 1 + static_cast<std::uint32_t>(*reason) : 0;
}

// 1 while the prompt is being read.
__attribute__((export_name("shoal_generate_is_reading"))) std::uint32_t shoal_generate_is_reading(
    const PlanSession* session) {
  return session->generation()->is_reading() ? 1 : 0;
}

__attribute__((export_name("shoal_generate_begin_step"))) std::uint32_t shoal_generate_begin_step(
    PlanSession* session) {
  return status_of(session->begin_step());
}

// The token that the step made; -1 when it made none, -2 when it failed.
__attribute__((export_name("shoal_generate_end_step"))) std::int32_t shoal_generate_end_step(PlanSession* session) {
  auto token = session->end_step();
  if (!token) {
    keep_error(std::move(token.error()));
    return kFailed;
  }
  return token->value_or(kNoToken);
}

}  // extern "C"

}  // namespace shoal::wasm
