#include "server/dispatch/text_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "server/dispatch/text_answer.hpp"
#include "server/models/model.hpp"
#include "server/text/grammars.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::dispatch {
namespace {

// Tickets of its own; those of requests that pass are of the services behind, which count from 1 and from 2^63.
constexpr std::uint64_t kFirstTicket = std::uint64_t{3} << 62U;

using Ids = std::vector<std::uint32_t>;

Result<Ids> ids_of(const models::GenerationConfig& generation, const TextRequest& text) {
  if (const auto* ids = std::get_if<Ids>(&text.prompt)) {
    const auto wrong = std::ranges::find_if(*ids, [&](std::uint32_t id) { return id >= generation.vocabulary; });
    if (wrong != ids->end()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("prompt: token id {} is not below {}", *wrong, generation.vocabulary), "prompt");
    }
    return *ids;
  }
  if (generation.tokenizer == nullptr) {
    return fail(Code::kOperatorNotSupported, "the model has no tokenizer: its prompts are token ids", "prompt");
  }
  auto tokens = generation.tokenizer->encode(std::get<std::string>(text.prompt), text.adds_special_tokens);
  if (!tokens) {
    return fail(std::move(tokens.error()));
  }
  return std::move(tokens->ids);
}

Tensor tokens_tensor(const Ids& ids) {
  Tensor tensor{.name = "tokens",
                .datatype = DataType::kInt32,
                .shape = {static_cast<std::int64_t>(ids.size())},
                .data = std::string(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(ids[0]))};
  return tensor;
}

// Room for an answer behind the prompt.
Result<std::uint32_t> room_for(const models::ModelVersion& model, std::size_t prompt_tokens) {
  const models::GenerationConfig& generation = *model.generation;
  if (prompt_tokens == 0) {
    return fail(Code::kInvalidArgument, "prompt: it has no tokens", "prompt");
  }
  const bool is_decoder = generation.model_class == archs::ModelClass::kDecoder;
  const std::size_t most = is_decoder ? generation.context - 1 : generation.context;
  if (prompt_tokens > most) {
    return fail(Code::kContextLengthExceeded,
                fmt::format("model '{}' takes {} tokens, prompt and answer together; the prompt alone has {}",
                            model.name, generation.context, prompt_tokens),
                "prompt");
  }
  return is_decoder ? generation.context - static_cast<std::uint32_t>(prompt_tokens) : generation.context - 1;
}

// Empty: nothing may follow.
Result<std::string> next_mask(text::Constraint& constraint, const Ids& ids) {
  for (const std::uint32_t id : ids) {
    if (Status taken = constraint.take(id); !taken) {
      return fail(std::move(taken.error()));
    }
  }
  return constraint.has_ended() ? Result<std::string>() : constraint.mask();
}

}  // namespace

// What is made of a request's text on the CPU pool.
struct TextService::Prepared {
  Ids ids;
  std::shared_ptr<text::Constraint> constraint;  // null: the answer is free
  std::string mask;                              // of its first token
};

struct TextService::Answer {
  InferenceRequest request;
  Completion done;
  TextAnswer text;
  std::shared_ptr<text::Constraint> constraint = {};  // used on the CPU pool, by one mask at a time
  std::uint64_t inner = 0;                            // the ticket behind; 0 = it is not there yet
  Ids read = {};                                      // what the model is given; with `shift` what it made besides
  std::uint32_t wanted = 0;                           // tokens of the answer at most
  std::uint32_t shifts = 0;
  Timing timing = {};  // of the parts before the last shift
};

TextService::TextService(boost::asio::any_io_executor main, boost::asio::any_io_executor cpu, InferenceService& behind,
                         TextServiceOptions options)
    : main_(std::move(main)),
      cpu_(std::move(cpu)),
      behind_(behind),
      options_(options),
      next_ticket_(kFirstTicket),
      alive_(std::make_shared<TextService*>(this)) {}

TextService::~TextService() { *alive_ = nullptr; }

std::uint64_t TextService::submit(InferenceRequest request, Completion done) {
  if (!request.text) {
    return behind_.submit(std::move(request), std::move(done));
  }
  const std::uint64_t ticket = next_ticket_++;
  auto answer = std::make_shared<Answer>(Answer{.request = std::move(request), .done = std::move(done), .text = {}});
  answers_.emplace(ticket, answer);
  // The model and the text outlive the work, whatever becomes of the answer.
  boost::asio::post(cpu_,
                    [main = main_, alive = alive_, ticket, model = answer->request.model,
                     text = std::make_shared<const TextRequest>(*answer->request.text), shift = answer->request.shift] {
                      auto made = std::make_shared<Result<Prepared>>(prepare(*model, *text, shift));
                      boost::asio::post(main, [alive, ticket, made] {
                        if (*alive != nullptr) {
                          (*alive)->prepared(ticket, std::move(*made));
                        }
                      });
                    });
  return ticket;
}

Result<TextService::Prepared> TextService::prepare(const models::ModelVersion& model, const TextRequest& text,
                                                   const std::optional<ContextShift>& shift) {
  if (!model.generation) {
    return fail(Code::kOperatorNotSupported, fmt::format("model '{}' does not generate text", model.name), "model");
  }
  auto ids = ids_of(*model.generation, text);
  if (!ids) {
    return fail(std::move(ids.error()));
  }
  if (shift && (text.grammar || model.generation->model_class != archs::ModelClass::kDecoder)) {
    return fail(Code::kOperatorNotSupported,
                text.grammar ? "shoal_overflow: an answer that must obey a schema cannot outgrow the context"
                             : fmt::format("shoal_overflow: model '{}' does not go on behind its prompt", model.name),
                "shoal_overflow");
  }
  if (shift && !ids->empty()) {
    *ids = kept_of(*ids, model.generation->context, *shift);
  }
  Prepared out{.ids = std::move(*ids), .constraint = {}, .mask = {}};
  if (!text.grammar) {
    return out;
  }
  const text::Grammars* const grammars = model.generation->grammars.get();
  auto constraint = grammars == nullptr       ? fail(Code::kOperatorNotSupported, "the model has no tokenizer")
                    : text.grammar->is_schema ? grammars->json_schema(text.grammar->text)
                                              : grammars->lark(text.grammar->text);
  auto mask = constraint ? (*constraint)->mask() : fail(constraint.error());
  if (!mask) {
    mask.error().param = text.grammar->param;
    return fail(std::move(mask.error()).with(text.grammar->param));
  }
  out.constraint = std::move(*constraint);
  out.mask = std::move(*mask);
  return out;
}

void TextService::prepared(std::uint64_t ticket, Result<Prepared> made) {
  const auto found = answers_.find(ticket);
  if (found == answers_.end()) {
    return;  // cancelled
  }
  if (!made) {
    return end(ticket, fail(std::move(made.error())));
  }
  const AnswerPtr answer = found->second;
  const models::ModelVersion& model = *answer->request.model;
  const auto room = room_for(model, made->ids.size());
  if (!room) {
    return end(ticket, fail(room.error()));
  }
  const TextRequest& text = *answer->request.text;
  answer->text = TextAnswer(model.generation->tokenizer, text.stop, made->ids.size());
  answer->constraint = std::move(made->constraint);
  answer->read = std::move(made->ids);
  answer->wanted = text.max_tokens.value_or(*room);
  start(ticket, *answer);
  if (answer->constraint != nullptr) {
    behind_.mask(answer->inner, 0, std::move(made->mask));
  }
}

void TextService::start(std::uint64_t ticket, Answer& answer) {
  const models::GenerationConfig& generation = *answer.request.model->generation;
  const TextRequest& text = *answer.request.text;
  const std::uint32_t room = room_for(*answer.request.model, answer.read.size()).value_or(1);
  InferenceRequest inner;
  inner.request_id = answer.request.request_id;
  inner.model = answer.request.model;
  inner.inputs = {tokens_tensor(answer.read)};
  inner.demand = answer.request.demand;
  inner.priority = answer.request.priority;
  inner.received = answer.request.received;
  inner.deadline = answer.request.deadline == kNoDeadline ? answer.request.received + options_.default_timeout
                                                          : answer.request.deadline;
  inner.generate = GenerateOptions{.max_tokens = std::min(answer.wanted - answer.text.made(), room),
                                   .stop_ids = text.ignores_eos ? Ids() : generation.stop_ids,
                                   .decoder_start = generation.decoder_start,
                                   .sampling = text.sampling,
                                   .wants_logprobs = text.wants_logprobs,
                                   .top_logprobs = text.top_logprobs,
                                   .is_masked = answer.constraint != nullptr,
                                   .prefix_key = text.cache_salt};
  // The draws of a seed begin anew with each part.
  inner.generate->sampling.seed += answer.shifts;
  // Masks are made for tokens that come, not for those that come again.
  inner.resumes = answer.request.resumes && answer.constraint == nullptr;
  inner.partial = [alive = alive_, ticket](InferenceResponse response, std::function<void()> more) {
    if (*alive != nullptr) {
      (*alive)->gave(ticket, std::move(response), std::move(more));
    }
  };
  answer.inner = behind_.submit(std::move(inner), [alive = alive_, ticket](Result<InferenceResponse> result) {
    if (*alive != nullptr) {
      (*alive)->ended(ticket, std::move(result));
    }
  });
}

// A text that has filled the context goes on with what is kept of it.
bool TextService::goes_on(std::uint64_t ticket, Answer& answer, const InferenceResponse& part) {
  if (!answer.request.shift || part.finish_reason != "length" || answer.text.is_stopped() ||
      answer.text.made() >= answer.wanted) {
    return false;
  }
  answer.timing.queue_us += part.timing.queue_us;
  answer.timing.compute_us += part.timing.compute_us;
  answer.timing.prefill_us += part.timing.prefill_us;
  answer.timing.decode_us += part.timing.decode_us;
  ++answer.shifts;
  answer.read = kept_of(answer.read, answer.request.model->generation->context, *answer.request.shift);
  start(ticket, answer);
  return true;
}

void TextService::remember(Answer& answer) {
  if (answer.request.shift) {
    const std::span<const std::uint32_t> last = answer.text.last_ids();
    answer.read.insert(answer.read.end(), last.begin(), last.end());
  }
}

void TextService::constrain(std::uint64_t ticket, const Answer& answer) {
  const std::span<const std::uint32_t> last = answer.text.last_ids();
  boost::asio::post(cpu_, [main = main_, alive = alive_, ticket, constraint = answer.constraint,
                           ids = Ids(last.begin(), last.end()), position = answer.text.made()] {
    auto mask = std::make_shared<Result<std::string>>(next_mask(*constraint, ids));
    boost::asio::post(main, [alive, ticket, position, mask] {
      if (*alive != nullptr) {
        (*alive)->masked(ticket, position, std::move(*mask));
      }
    });
  });
}

void TextService::masked(std::uint64_t ticket, std::uint32_t position, Result<std::string> mask) {
  const auto found = answers_.find(ticket);
  if (found == answers_.end()) {
    return;
  }
  const std::uint64_t inner = found->second->inner;
  if (!mask) {
    end(ticket, fail(std::move(mask.error())));
    behind_.cancel(inner);
  } else if (mask->empty()) {
    behind_.finish(inner);
  } else {
    behind_.mask(inner, position, std::move(*mask));
  }
}

void TextService::gave(std::uint64_t ticket, InferenceResponse response, std::function<void()> more) {
  const auto found = answers_.find(ticket);
  if (found == answers_.end()) {
    return;
  }
  const AnswerPtr answer = found->second;
  if (auto added = answer->text.add(response.outputs); !added) {
    const std::uint64_t inner = answer->inner;
    end(ticket, fail(std::move(added.error())));
    behind_.cancel(inner);
    return;
  }
  remember(*answer);
  if (answer->text.is_stopped()) {
    behind_.finish(answer->inner);
    return;
  }
  if (answer->constraint != nullptr && !answer->text.last_ids().empty()) {
    constrain(ticket, *answer);
  }
  if (!answer->request.text->is_streamed || !answer->request.partial || !answer->text.has_news()) {
    more();
    return;
  }
  answer->text.put_into(response);
  answer->request.partial(std::move(response), std::move(more));
}

void TextService::ended(std::uint64_t ticket, Result<InferenceResponse> result) {
  const auto found = answers_.find(ticket);
  if (found == answers_.end()) {
    return;
  }
  if (result) {
    const AnswerPtr answer = found->second;
    TextAnswer& text = answer->text;
    auto added = text.add(result->outputs);
    if (added) {
      remember(*answer);
      if (goes_on(ticket, *answer, *result)) {
        return;
      }
      added = text.finish();
    }
    if (!added) {
      return end(ticket, fail(std::move(added.error())));
    }
    if (text.is_stopped()) {
      result->finish_reason = "stop";
    }
    result->shifts = answer->shifts;
    result->timing.queue_us += answer->timing.queue_us;
    result->timing.compute_us += answer->timing.compute_us;
    result->timing.prefill_us += answer->timing.prefill_us;
    result->timing.decode_us += answer->timing.decode_us;
    text.put_into(*result);
  }
  end(ticket, std::move(result));
}

void TextService::end(std::uint64_t ticket, Result<InferenceResponse> result) {
  const auto found = answers_.find(ticket);
  const AnswerPtr answer = std::move(found->second);
  answers_.erase(found);
  answer->done(std::move(result));
}

void TextService::cancel(std::uint64_t ticket) {
  const auto found = answers_.find(ticket);
  if (found == answers_.end()) {
    behind_.cancel(ticket);
  } else if (found->second->inner != 0) {
    behind_.cancel(found->second->inner);
  } else {
    // Not from inside this call, as the services behind have it.
    boost::asio::post(main_, [done = std::move(found->second->done)] {
      done(fail(Code::kCancelled, "the client cancelled the request or went away"));
    });
    answers_.erase(found);
  }
}

void TextService::finish(std::uint64_t ticket) {
  const auto found = answers_.find(ticket);
  behind_.finish(found == answers_.end() ? ticket : found->second->inner);
}

}  // namespace shoal::dispatch
