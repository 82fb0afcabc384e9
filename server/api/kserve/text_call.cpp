#include "server/api/kserve/text_call.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <utility>

#include "server/api/kserve/natural.hpp"

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
  if (name == "stop") {
    const auto* stop = std::get_if<std::string>(&value);
    if (stop == nullptr || stop->empty()) {
      return wrong(name, "a string that is not empty");
    }
    text.stop = {*stop};
  }
  return {};
}

std::uint64_t any_seed() {
  static thread_local std::mt19937_64 numbers{std::random_device{}()};
  return numbers();
}

}  // namespace

Result<dispatch::TextRequest> text_request(std::span<const Tensor> inputs, const wire::Parameters& parameters) {
  dispatch::TextRequest text;
  const Tensor& prompt = inputs.front();
  if (prompt.datatype == DataType::kBytes) {
    text.prompt = prompt.data.substr(sizeof(std::uint32_t));
  } else {
    std::vector<std::uint32_t> ids(prompt.data.size() / sizeof(std::uint32_t));
    std::memcpy(ids.data(), prompt.data.data(), ids.size() * sizeof(std::uint32_t));
    text.prompt = std::move(ids);
  }
  text.max_tokens = kDefaultMaxTokens;
  text.sampling.seed = any_seed();
  for (const auto& [name, value] : parameters) {
    if (Status status = read_parameter(name, value, text); !status) {
      return fail(std::move(status.error()));
    }
  }
  return text;
}

}  // namespace shoal::api::kserve
