#include "server/api/openai/text_requests.hpp"

#include <fmt/format.h>

#include <ctime>
#include <random>
#include <utility>

#include "server/api/kserve/infer_call.hpp"
#include "server/text/chat_template.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::api::openai {
namespace {

Result<models::ModelPtr> find_model(const models::Snapshot& snapshot, const std::string& name) {
  auto model = snapshot.find(name);
  if (!model) {
    return model.error().code == Code::kNotFound
               ? fail(Code::kNotFound, fmt::format("The model '{:.200}' does not exist", name), "model")
               : model;
  }
  if (!(*model)->generation) {
    return fail(Code::kInvalidArgument, fmt::format("The model '{}' does not generate text", name), "model");
  }
  if ((*model)->generation->tokenizer == nullptr) {
    return fail(Code::kInvalidArgument,
                fmt::format("The model '{}' has no tokenizer: its prompts are token ids, at /v2/models", name),
                "model");
  }
  return model;
}

std::uint64_t any_seed() {
  static thread_local std::mt19937_64 numbers{std::random_device{}()};
  return numbers();
}

using Prompt = decltype(dispatch::TextRequest::prompt);

// Adds the answers to one prompt.
Status add_requests(const http::Request& http_request, Prompt prompt, bool adds_special_tokens,
                    std::optional<std::uint32_t> max_tokens, TextRequests& out) {
  const wire::CompletionOptions& options = out.options;
  const std::uint64_t seed = options.seed.value_or(any_seed());
  for (std::uint32_t choice = 0; choice < options.n; ++choice) {
    dispatch::InferenceRequest request;
    request.request_id = http_request.request_id;
    request.model = out.model;
    request.received = http_request.received;
    dispatch::TextRequest text{.prompt = prompt,
                               .adds_special_tokens = adds_special_tokens,
                               .max_tokens = max_tokens,
                               .stop = options.stop,
                               .ignores_eos = options.ignores_eos,
                               .sampling = options.sampling,
                               .is_streamed = options.is_streamed};
    text.sampling.seed = seed + choice;
    request.text = std::move(text);
    if (Status status = kserve::apply_parameters(options.parameters, request); !status) {
      status.error().param = "shoal";
      return status;
    }
    out.requests.push_back(std::move(request));
  }
  return {};
}

}  // namespace

Result<TextRequests> chat_requests(const models::Snapshot& snapshot, const http::Request& request) {
  auto body = wire::parse_chat(request.body);
  if (!body) {
    return fail(std::move(body.error()));
  }
  auto model = find_model(snapshot, body->model);
  if (!model) {
    return fail(std::move(model.error()));
  }
  const models::GenerationConfig& generation = *(*model)->generation;
  if (generation.chat_template == nullptr) {
    return fail(Code::kInvalidArgument,
                fmt::format("The model '{}' takes no messages: {}. Its place is /v1/completions.", body->model,
                            generation.no_chat_reason),
                "messages");
  }
  auto prompt = generation.chat_template->render(body->messages, {.add_generation_prompt = body->adds_generation_prompt,
                                                                  .now = std::time(nullptr),
                                                                  .variables = std::move(body->template_variables)});
  if (!prompt) {
    prompt.error().param = "messages";
    return fail(std::move(prompt.error()));
  }
  TextRequests out{.model = std::move(*model), .options = std::move(*body), .echoes = {}, .requests = {}};
  // A template writes the special tokens itself.
  if (Status added = add_requests(request, std::move(*prompt), false, out.options.max_tokens, out); !added) {
    return fail(std::move(added.error()));
  }
  return out;
}

Result<TextRequests> completion_requests(const models::Snapshot& snapshot, const http::Request& request) {
  auto body = wire::parse_completion(request.body);
  if (!body) {
    return fail(std::move(body.error()));
  }
  auto model = find_model(snapshot, body->model);
  if (!model) {
    return fail(std::move(model.error()));
  }
  TextRequests out{
      .model = std::move(*model), .options = *body, .prompts = body->prompts.size(), .echoes = {}, .requests = {}};
  for (auto& prompt : body->prompts) {
    if (body->echo) {
      const auto* ids = std::get_if<std::vector<std::uint32_t>>(&prompt);
      auto echo = ids == nullptr ? Result<std::string>(std::get<std::string>(prompt))
                                 : out.model->generation->tokenizer->decode(*ids);
      if (!echo) {
        return fail(std::move(echo.error()));
      }
      out.echoes.push_back(std::move(*echo));
    }
    if (Status added = add_requests(request, std::move(prompt), true,
                                    out.options.max_tokens.value_or(kDefaultCompletionTokens), out);
        !added) {
      return fail(std::move(added.error()));
    }
  }
  return out;
}

}  // namespace shoal::api::openai
