#include "server/app/browser_answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "server/core/percent_encoded.hpp"

namespace shoal::app {
namespace {

namespace asio = boost::asio;
using nlohmann::json;

std::unexpected<Error> error_of(const HttpReply& reply) {
  const json document = json::parse(reply.body, nullptr, false);
  const json error = document.is_object() ? document.value("error", json()) : json();
  const std::string message = error.is_string()   ? error.get<std::string>()
                              : error.is_object() ? error.value("message", "")
                                                  : fmt::format("the server answered with status {}", reply.status);
  const std::string param = error.is_object() && error.contains("param") && error["param"].is_string()
                                ? error["param"].get<std::string>()
                                : std::string();
  const Code code = reply.status == 400   ? Code::kInvalidArgument
                    : reply.status == 404 ? Code::kNotFound
                    : reply.status == 503 ? Code::kUnavailable
                                          : Code::kInternal;
  return fail(code, message, param);
}

json generation_body(const BrowserQuestion& question, bool is_chat) {
  const SamplingOptions& sampling = question.sampling;
  json body = {{"model", question.model},
               {"stream", true},
               {"stream_options", {{"include_usage", true}}},
               {"return_token_ids", true},
               {"max_tokens", question.max_tokens},
               {"temperature", sampling.temperature},
               {"top_k", sampling.top_k},
               {"top_p", sampling.top_p},
               {"min_p", sampling.min_p},
               {"repetition_penalty", sampling.repetition_penalty},
               {"seed", sampling.seed}};
  if (is_chat) {
    body["messages"] = json::array({{{"role", "user"}, {"content", question.prompt}}});
  } else if (question.ids.empty()) {
    body["prompt"] = question.prompt;
  } else {
    body["prompt"] = question.ids;
  }
  return body;
}

// Puts the events of a stream together.
struct Growing {
  OnAnswer on_answer;
  json report = {{"ids", json::array()}, {"text", ""}, {"finish_reason", "cancelled"}};
  std::optional<Error> error = {};

  bool take(std::string_view data) {
    const json event = json::parse(data, nullptr, false);
    if (!event.is_object()) {
      return true;  // [DONE]
    }
    if (event.contains("error")) {
      error = Error{Code::kInternal, event["error"].value("message", "the server ended the answer"), {}};
      return false;
    }
    if (event.contains("usage") && event["usage"].is_object()) {
      report["prompt_tokens"] = event["usage"].value("prompt_tokens", 0);
    }
    if (!event.contains("choices") || event["choices"].empty()) {
      return true;
    }
    const json& choice = event["choices"][0];
    std::string text;
    if (choice.contains("delta") && choice["delta"].is_object()) {
      text = choice["delta"].value("content", "");
    } else if (choice.contains("text")) {
      text = choice["text"].get<std::string>();
    }
    const auto ids = choice.value("token_ids", std::vector<std::int32_t>());
    for (const std::int32_t id : ids) {
      report["ids"].push_back(id);
    }
    report["text"] = report["text"].get<std::string>() + text;
    if (choice.contains("finish_reason") && choice["finish_reason"].is_string()) {
      report["finish_reason"] = choice["finish_reason"];
    }
    if (event.contains("shoal")) {
      note_place(event["shoal"]);
    }
    return on_answer(ids, text);
  }

  void note_place(const json& shoal) {
    for (const char* key : {"backend", "worker", "adapter", "variant", "bits"}) {
      report[key] = shoal.value(key, json());
    }
    const json& timing = shoal["timing"];
    const double prefill_ms = timing.value("prefill_us", 0.0) / 1000;
    const double decode_ms = timing.value("decode_us", 0.0) / 1000;
    report["first_token_ms"] = prefill_ms;
    report["compute_ms"] = prefill_ms + decode_ms;
    report["total_ms"] = timing.value("total_us", 0.0) / 1000;
    prefill_seconds = prefill_ms / 1000;
    decode_seconds = decode_ms / 1000;
  }

  json finished() {
    const auto per_second = [](double count, double seconds) { return seconds > 0 ? count / seconds : 0; };
    const std::size_t made = report["ids"].size();
    report["prefill_tokens_per_second"] = per_second(report.value("prompt_tokens", 0.0), prefill_seconds);
    report["decode_tokens_per_second"] = made == 0 ? 0 : per_second(static_cast<double>(made - 1), decode_seconds);
    return std::move(report);
  }

  double prefill_seconds = 0;
  double decode_seconds = 0;
};

asio::awaitable<Result<json>> generate(const HttpCall& call, const BrowserQuestion& question, OnAnswer on_answer) {
  Growing growing{.on_answer = std::move(on_answer)};
  const auto take = [&growing](std::string_view data) { return growing.take(data); };
  bool is_chat = !question.is_raw && question.ids.empty();
  for (;;) {
    const auto reply = co_await call.send("POST", is_chat ? "/v1/chat/completions" : "/v1/completions",
                                          generation_body(question, is_chat).dump(), take);
    if (!reply) {
      co_return fail(reply.error());
    }
    if (reply->status == 200) {
      break;
    }
    auto error = error_of(*reply);
    // A model without a chat template continues the prompt as it is.
    if (!is_chat || error.error().param != "messages") {
      co_return error;
    }
    is_chat = false;
  }
  if (growing.error) {
    co_return fail(*std::move(growing.error));
  }
  co_return growing.finished();
}

// The first of these outputs that the model has.
const json* main_output(const json& outputs) {
  for (const char* name : {"embedding", "logits", "start_logits", "last_hidden_state"}) {
    const auto found = std::ranges::find_if(outputs, [&](const json& one) { return one.value("name", "") == name; });
    if (found != outputs.end()) {
      return &*found;
    }
  }
  return outputs.empty() ? nullptr : &outputs.front();
}

json rows_of(const json& output) {
  const auto shape = output.value("shape", std::vector<std::size_t>());
  const auto data = output.value("data", std::vector<double>());
  const std::size_t width = shape.size() > 1 ? shape.back() : 1;
  json rows = json::array();
  for (std::size_t at = 0; width > 0 && at + width <= data.size(); at += width) {
    rows.push_back(json(std::vector<double>(data.begin() + static_cast<std::ptrdiff_t>(at),
                                            data.begin() + static_cast<std::ptrdiff_t>(at + width))));
  }
  return rows;
}

asio::awaitable<Result<json>> encode_text(const HttpCall& call, const BrowserQuestion& question) {
  const json body = {{"model", question.model}, {"input", question.prompt}};
  const auto reply = co_await call.send("POST", "/v1/embeddings", body.dump());
  if (!reply || reply->status != 200) {
    co_return reply ? error_of(*reply) : fail(reply.error());
  }
  const json answer = json::parse(reply->body);
  json report = {{"output", json::array({answer["data"][0]["embedding"]})},
                 {"prompt_tokens", answer["usage"]["prompt_tokens"]},
                 {"compute_ms", answer["shoal"]["timing"].value("compute_us", 0.0) / 1000}};
  for (const char* key : {"backend", "worker", "adapter", "variant", "bits"}) {
    report[key] = answer["shoal"].value(key, json());
  }
  co_return report;
}

asio::awaitable<Result<json>> encode_ids(const HttpCall& call, const BrowserQuestion& question, const json& inputs) {
  const auto count = question.ids.size();
  json body = {{"inputs", json::array()}};
  for (const json& input : inputs) {
    const std::string name = input.value("name", "");
    const auto data =
        name == "input_ids" ? json(question.ids) : json(std::vector<int>(count, name == "attention_mask"));
    body["inputs"].push_back({{"name", name}, {"datatype", input["datatype"]}, {"shape", {1, count}}, {"data", data}});
  }
  const auto reply =
      co_await call.send("POST", fmt::format("/v2/models/{}/infer", percent_encoded(question.model)), body.dump());
  if (!reply || reply->status != 200) {
    co_return reply ? error_of(*reply) : fail(reply.error());
  }
  const json answer = json::parse(reply->body);
  const json* output = main_output(answer["outputs"]);
  if (output == nullptr) {
    co_return fail(Code::kInternal, "the model has no outputs");
  }
  json report = {{"output", rows_of(*output)}, {"prompt_tokens", count}};
  const json& parameters = answer["parameters"];
  for (const char* key : {"backend", "worker", "adapter", "variant", "bits"}) {
    report[key] = parameters.value(std::string("shoal_") + key, json());
  }
  report["compute_ms"] = parameters.value("shoal_compute_us", 0.0) / 1000;
  co_return report;
}

}  // namespace

asio::awaitable<Result<json>> ask_browser(const HttpCall& call, BrowserQuestion question, OnAnswer on_answer) {
  const auto reply = co_await call.send("GET", "/v2/models/" + percent_encoded(question.model), {});
  if (!reply || reply->status != 200) {
    co_return reply ? error_of(*reply) : fail(reply.error());
  }
  const json metadata = json::parse(reply->body, nullptr, false);
  const json inputs = metadata.is_object() ? metadata.value("inputs", json::array()) : json::array();
  const bool generates =
      std::ranges::any_of(inputs, [](const json& one) { return one.value("name", "") == "text_input"; });
  if (generates) {
    co_return co_await generate(call, question, std::move(on_answer));
  }
  if (question.ids.empty()) {
    co_return co_await encode_text(call, question);
  }
  co_return co_await encode_ids(call, question, inputs);
}

}  // namespace shoal::app
