#include "server/api/kserve/text_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <utility>

#include "server/api/kserve/natural.hpp"
#include "server/core/random_seed.hpp"
#include "server/wire/json_reader.hpp"
#include "server/wire/parameters_json.hpp"

namespace shoal::api::kserve {
namespace {

std::unexpected<Error> wrong(std::string_view name, std::string_view expected) {
  return fail(Code::kInvalidArgument, fmt::format("parameter '{}' must be {}", name, expected), std::string(name));
}

std::optional<double> number_in(const wire::Parameter& value) {
  if (const auto* real = std::get_if<double>(&value)) {
    return std::isfinite(*real) ? std::optional(*real) : std::nullopt;
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return static_cast<double>(*integer);
  }
  return std::nullopt;
}

constexpr std::size_t kMaxStringBytes = 256;
constexpr std::size_t kMaxStops = 16;

struct Range {
  double least, most;
  std::string_view text;
};

Status read_real(std::string_view name, const wire::Parameter& value, const Range& range, float& out) {
  const auto number = number_in(value);
  if (!number || *number < range.least || *number > range.most) {
    return wrong(name, range.text);
  }
  out = static_cast<float>(*number);
  return {};
}

Status read_count(std::string_view name, const wire::Parameter& value, std::uint32_t least, std::uint32_t& out) {
  const auto number = natural(value);
  if (!number || *number < least || *number > std::numeric_limits<std::int32_t>::max()) {
    return wrong(name, fmt::format("an integer from {}", least));
  }
  out = static_cast<std::uint32_t>(*number);
  return {};
}

Status read_flag(std::string_view name, const wire::Parameter& value, bool& out) {
  const bool* flag = std::get_if<bool>(&value);
  if (flag == nullptr) {
    return wrong(name, "a boolean");
  }
  out = *flag;
  return {};
}

Status read_parameter(std::string_view name, const wire::Parameter& value, dispatch::TextRequest& text) {
  using Real = std::pair<float SamplingOptions::*, Range>;
  constexpr Range kPenalty{-2, 2, "a number from -2 to 2"};
  static const std::map<std::string_view, Real> kReals = {
      {"temperature", {&SamplingOptions::temperature, {0, 1000, "a number from 0 to 1000"}}},
      {"top_p", {&SamplingOptions::top_p, {1e-6, 1, "a number above 0, up to 1"}}},
      {"min_p", {&SamplingOptions::min_p, {0, 1, "a number from 0 to 1"}}},
      {"repetition_penalty", {&SamplingOptions::repetition_penalty, {1e-3, 1000, "a number above 0, up to 1000"}}},
      {"presence_penalty", {&SamplingOptions::presence_penalty, kPenalty}},
      {"frequency_penalty", {&SamplingOptions::frequency_penalty, kPenalty}},
  };
  if (const auto real = kReals.find(name); real != kReals.end()) {
    return read_real(name, value, real->second.second, text.sampling.*real->second.first);
  }
  if (name == "max_tokens") {
    return read_count(name, value, 1, *text.max_tokens);
  }
  if (name == "top_k") {
    return read_count(name, value, 0, text.sampling.top_k);
  }
  if (name == "stream") {
    return read_flag(name, value, text.is_streamed);
  }
  if (name == "ignore_eos") {
    return read_flag(name, value, text.ignores_eos);
  }
  if (name == "seed") {
    const auto seed = natural(value);
    text.sampling.seed = seed.value_or(0);
    return seed ? Status() : wrong(name, "an integer >= 0");
  }
  if (name == "stop" || name == "cache_salt") {
    const auto* string = std::get_if<std::string>(&value);
    if (string == nullptr || string->empty() || string->size() > kMaxStringBytes) {
      return wrong(name, fmt::format("a string of 1 to {} bytes", kMaxStringBytes));
    }
    if (name == "stop") {
      text.stop.push_back(*string);
    } else {
      text.cache_salt = *string;
    }
  }
  return {};
}

const Tensor* find(std::span<const Tensor> inputs, std::string_view name) {
  const auto found = std::ranges::find(inputs, name, &Tensor::name);
  return found == inputs.end() ? nullptr : &*found;
}

// Of BYTES [1].
std::string only_text(const Tensor& tensor) { return tensor.data.substr(sizeof(std::uint32_t)); }

Status add_stop(std::string text, dispatch::TextRequest& out) {
  if (text.empty() || text.size() > kMaxStringBytes || out.stop.size() >= kMaxStops) {
    return wrong("stop", fmt::format("1 to {} strings of 1 to {} bytes", kMaxStops, kMaxStringBytes));
  }
  out.stop.push_back(std::move(text));
  return {};
}

Status read_stops(const Tensor& tensor, dispatch::TextRequest& out) {
  std::string_view rest = tensor.data;
  while (!rest.empty()) {
    std::uint32_t size = 0;
    std::memcpy(&size, rest.data(), sizeof(size));
    if (Status added = add_stop(std::string(rest.substr(sizeof(size), size)), out); !added) {
      return added;
    }
    rest.remove_prefix(sizeof(size) + size);
  }
  return {};
}

bool only_flag(const Tensor& tensor) { return tensor.data.front() != 0; }

Status read_parameters(const wire::Parameters& parameters, dispatch::TextRequest& text) {
  for (const auto& [name, value] : parameters) {
    if (Status status = read_parameter(name, value, text); !status) {
      return status;
    }
  }
  return {};
}

Status read_sampling_parameters(const Tensor& tensor, dispatch::TextRequest& text) {
  const std::string json = only_text(tensor);
  wire::JsonReader reader(json);
  wire::Parameters parameters;
  Status status = wire::read_parameters(reader, parameters);
  if (status) {
    status = reader.finish();
  }
  if (status) {
    status = read_parameters(parameters, text);
  }
  if (!status) {
    return fail(std::move(status.error()).with(tensor.name));
  }
  return {};
}

}  // namespace

Result<dispatch::TextRequest> text_request(std::span<const Tensor> inputs, const wire::Parameters& parameters) {
  dispatch::TextRequest text;
  if (const Tensor* prompt = find(inputs, "text_input")) {
    text.prompt = only_text(*prompt);
  } else if (const Tensor* tokens = find(inputs, "tokens")) {
    std::vector<std::uint32_t> ids(tokens->data.size() / sizeof(std::uint32_t));
    std::memcpy(ids.data(), tokens->data.data(), ids.size() * sizeof(std::uint32_t));
    text.prompt = std::move(ids);
  }
  text.max_tokens = kDefaultMaxTokens;
  text.sampling.seed = random_seed();
  if (const Tensor* sampling = find(inputs, "sampling_parameters")) {
    if (Status status = read_sampling_parameters(*sampling, text); !status) {
      return fail(std::move(status.error()));
    }
  }
  if (Status status = read_parameters(parameters, text); !status) {
    return fail(std::move(status.error()));
  }
  if (const Tensor* stream = find(inputs, "stream")) {
    text.is_streamed = only_flag(*stream);
  }
  if (const Tensor* stop = find(inputs, "stop")) {
    if (Status status = read_stops(*stop, text); !status) {
      return fail(std::move(status.error()));
    }
  }
  const Tensor* exclude = find(inputs, "exclude_input_in_output");
  if (exclude != nullptr && !only_flag(*exclude)) {
    return fail(Code::kInvalidArgument, "input 'exclude_input_in_output' must be true: prompts are no part of answers",
                exclude->name);
  }
  return text;
}

}  // namespace shoal::api::kserve
