#include "server/api/openai/text_requests.hpp"

#include <utility>

#include "server/api/kserve/infer_call.hpp"
#include "server/api/openai/generating_model.hpp"
#include "server/core/random_seed.hpp"
#include "server/dispatch/answer_grammar.hpp"
#include "server/text/answer_grammar.hpp"
#include "server/text/chat_template.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::api::openai {
namespace {

using Prompt = decltype(dispatch::TextRequest::prompt);

// What all answers have in common beside the options.
struct Answers {
  std::optional<std::uint32_t> max_tokens;
  std::optional<dispatch::AnswerGrammar> grammar;
};

// Adds the answers to one prompt.
Status add_requests(const http::Request& http_request, const Prompt& prompt, bool adds_special_tokens,
                    const Answers& answers, TextRequests& out) {
  const wire::CompletionOptions& options = out.options;
  const std::uint64_t seed = options.seed.value_or(random_seed());
  for (std::uint32_t choice = 0; choice < options.n; ++choice) {
    dispatch::InferenceRequest request;
    request.request_id = http_request.request_id;
    request.model = out.model;
    request.received = http_request.received;
    dispatch::TextRequest text{.prompt = prompt,
                               .adds_special_tokens = adds_special_tokens,
                               .max_tokens = answers.max_tokens,
                               .stop = options.stop,
                               .ignores_eos = options.ignores_eos,
                               .sampling = options.sampling,
                               .cache_salt = options.cache_salt,
                               .wants_logprobs = options.wants_logprobs,
                               .top_logprobs = options.top_logprobs,
                               .grammar = answers.grammar,
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

using Kind = wire::ToolChoice::Kind;

// What the answer is held to, if anything.
std::optional<dispatch::AnswerGrammar> grammar_of(const wire::AnswerForm& form, text::ToolStyle style) {
  if (form.schema) {
    return dispatch::AnswerGrammar{
        .text = text::schema_grammar(*form.schema), .is_schema = true, .param = "response_format"};
  }
  if (form.tools.is_null() || (form.choice.kind != Kind::kRequired && form.choice.kind != Kind::kNamed)) {
    return std::nullopt;
  }
  std::vector<text::Tool> tools;
  for (const auto& tool : form.tools) {
    const auto& function = tool["function"];
    if (form.choice.kind == Kind::kRequired || function["name"] == form.choice.name) {
      tools.push_back({.name = function["name"], .parameters = function["parameters"]});
    }
  }
  const bool is_parallel = form.is_parallel && form.choice.kind == Kind::kRequired;
  return dispatch::AnswerGrammar{
      .text = text::call_grammar(style, tools, is_parallel), .is_schema = false, .param = "tools"};
}

}  // namespace

Result<TextRequests> chat_requests(const models::Snapshot& snapshot, const http::Request& request,
                                   wire::ChatBody body) {
  auto model = find_generating_model(snapshot, body.model);
  if (!model) {
    return fail(std::move(model.error()));
  }
  const bool has_tools = !body.form.tools.is_null() && body.form.choice.kind != Kind::kNone;
  auto prompt = chat_text(**model, {.messages = body.messages,
                                    .tools = has_tools ? body.form.tools : nullptr,
                                    .variables = std::move(body.template_variables),
                                    .adds_generation_prompt = body.adds_generation_prompt});
  if (!prompt) {
    return fail(std::move(prompt.error()));
  }
  TextRequests out{.model = std::move(*model), .options = std::move(body), .echoes = {}, .requests = {}};
  out.tool_style = has_tools ? out.model->generation->chat_template->tool_style() : text::ToolStyle::kNone;
  const Answers answers{.max_tokens = out.options.max_tokens, .grammar = grammar_of(body.form, out.tool_style)};
  // A template writes the special tokens itself.
  if (Status added = add_requests(request, *prompt, false, answers, out); !added) {
    return fail(std::move(added.error()));
  }
  return out;
}

Result<TextRequests> completion_requests(const models::Snapshot& snapshot, const http::Request& request,
                                         wire::CompletionBody body) {
  auto model = find_generating_model(snapshot, body.model);
  if (!model) {
    return fail(std::move(model.error()));
  }
  TextRequests out{
      .model = std::move(*model), .options = body, .prompts = body.prompts.size(), .echoes = {}, .requests = {}};
  const Answers answers{.max_tokens = out.options.max_tokens.value_or(kDefaultCompletionTokens), .grammar = {}};
  for (auto& prompt : body.prompts) {
    if (body.echo) {
      const auto* ids = std::get_if<std::vector<std::uint32_t>>(&prompt);
      auto echo = ids == nullptr ? Result<std::string>(std::get<std::string>(prompt))
                                 : out.model->generation->tokenizer->decode(*ids);
      if (!echo) {
        return fail(std::move(echo.error()));
      }
      out.echoes.push_back(std::move(*echo));
    }
    if (Status added = add_requests(request, prompt, true, answers, out); !added) {
      return fail(std::move(added.error()));
    }
  }
  return out;
}

}  // namespace shoal::api::openai
