// The C ABI of the answers that a PlanSession makes: begun, cancelled and masked between steps, and together step by
// step, each step layer by layer (shoal_plan_run_layer). What has become of them is told as events.
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

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
  std::uint32_t has_logprobs;
  std::uint32_t top_logprobs;
  std::uint32_t is_masked;
  const char* prefix_key;
  std::uint32_t prefix_key_size;
};

constexpr std::int32_t kNoToken = -1;

// Of one answer: 32-bit words in this order.
struct EventView {
  std::uint32_t id;
  std::uint32_t was_reading;
  std::uint32_t reused;
  std::int32_t token;      // kNoToken when none was made
  std::uint32_t finished;  // 0, or 1 + the number of its runtime::FinishReason
  std::uint32_t error;     // 0, or the code of what ended it
  float logprob;
  std::uint32_t top_count;
  const std::pair<std::int32_t, float>* top;  // ids and logprobs
};

std::vector<runtime::SequenceEvent> events;
std::vector<EventView> event_views;

runtime::SequenceOptions options_of(const GenerateView& view, bool has_encoder) {
  runtime::SequenceOptions out{.generation = {.max_tokens = view.max_tokens,
                                              .stop_ids = {view.stop_ids, view.stop_ids + view.stop_count},
                                              .decoder_start = has_encoder ? view.decoder_start : -1},
                               .prefix_key = {view.prefix_key, view.prefix_key_size},
                               .has_logprobs = view.has_logprobs != 0,
                               .top_logprobs = view.top_logprobs,
                               .is_masked = view.is_masked != 0};
  runtime::SamplingOptions& sampling = out.generation.sampling;
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

EventView view_of(runtime::SequenceEvent& event) {
  EventView view{.id = event.id,
                 .was_reading = event.was_reading ? 1U : 0U,
                 .reused = event.reused,
                 .token = event.token.value_or(kNoToken),
                 .finished = event.finished ? 1 + static_cast<std::uint32_t>(*event.finished) : 0,
                 .error = 0,
                 .logprob = 0,
                 .top_count = 0,
                 .top = nullptr};
  if (event.error) {
    view.error = static_cast<std::uint32_t>(event.error->code);
    keep_error(std::move(*event.error));
  }
  if (event.logprobs) {
    view.logprob = event.logprobs->chosen;
    view.top_count = static_cast<std::uint32_t>(event.logprobs->top.size());
    view.top = event.logprobs->top.data();
  }
  return view;
}

}  // namespace

extern "C" {

// Begins an answer to tokens[count]: its number, or 0. The view and what it points to may be freed afterwards.
__attribute__((export_name("shoal_sequence_add"))) std::uint32_t shoal_sequence_add(PlanSession* session,
                                                                                    const std::int32_t* tokens,
                                                                                    std::size_t count,
                                                                                    const GenerateView* view) {
  if (session->sequences() == nullptr) {
    keep_error({Code::kInvalidArgument, "the plan does not generate", {}});
    return 0;
  }
  auto id =
      session->sequences()->add({tokens, tokens + count}, options_of(*view, session->plan().find("encode") != nullptr));
  if (!id) {
    keep_error(std::move(id.error()));
    return 0;
  }
  return *id;
}

__attribute__((export_name("shoal_sequence_cancel"))) void shoal_sequence_cancel(PlanSession* session,
                                                                                 std::uint32_t id) {
  session->sequences()->cancel(id);
}

// As runtime::SequenceEngine::allow().
__attribute__((export_name("shoal_sequence_allow"))) std::uint32_t shoal_sequence_allow(
    PlanSession* session, std::uint32_t id, std::uint32_t position, const std::uint8_t* tokens, std::size_t size) {
  return status_of(session->sequences()->allow(id, position, {tokens, size}));
}

// 1 when a step has begun, 0 when there is nothing to run, -1 when it failed.
__attribute__((export_name("shoal_sequences_begin_step"))) std::int32_t shoal_sequences_begin_step(
    PlanSession* session) {
  auto has_begun = session->begin_step();
  if (!has_begun) {
    keep_error(std::move(has_begun.error()));
    return -1;
  }
  return *has_begun ? 1 : 0;
}

// Whether somebody waits for the step under way.
__attribute__((export_name("shoal_sequences_is_wanted"))) std::uint32_t shoal_sequences_is_wanted(
    const PlanSession* session) {
  return session->sequences()->is_wanted() ? 1 : 0;
}

__attribute__((export_name("shoal_sequences_end_step"))) std::uint32_t shoal_sequences_end_step(PlanSession* session) {
  return status_of(session->end_step());
}

// Of a step that has not ended.
__attribute__((export_name("shoal_sequences_abandon_step"))) void shoal_sequences_abandon_step(PlanSession* session) {
  session->abandon_step();
}

// What has happened since the last call: `count` events, valid until the next one.
__attribute__((export_name("shoal_sequences_events"))) const EventView* shoal_sequences_events(PlanSession* session,
                                                                                               std::uint32_t* count) {
  events = session->sequences()->take_events();
  event_views.clear();
  for (runtime::SequenceEvent& event : events) {
    event_views.push_back(view_of(event));
  }
  *count = static_cast<std::uint32_t>(event_views.size());
  return event_views.data();
}

}  // extern "C"

}  // namespace shoal::wasm
