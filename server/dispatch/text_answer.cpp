#include "server/dispatch/text_answer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/text/tokenizer.hpp"

namespace shoal::dispatch {
namespace {

Tensor text_tensor(std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  Tensor tensor{.name = "text_output", .datatype = DataType::kBytes, .shape = {1}, .data = {}};
  tensor.data.assign(reinterpret_cast<const char*>(&size), sizeof(size));
  tensor.data += text;
  return tensor;
}

template <class Value>
Value value_at(const Tensor& tensor, std::size_t index) {
  Value value;
  std::memcpy(&value, tensor.data.data() + index * sizeof(value), sizeof(value));
  return value;
}

// Of each token; none where the worker was not asked for them.
Result<std::vector<TokenLogprobs>> logprobs_in(std::span<const Tensor> outputs, std::size_t count) {
  const auto output = [&](std::string_view name) {
    const auto found = std::ranges::find(outputs, name, &Tensor::name);
    return found == outputs.end() ? nullptr : &*found;
  };
  std::vector<TokenLogprobs> out;
  const Tensor* own = output("logprobs");
  if (own == nullptr || count == 0) {
    return out;
  }
  const Tensor* ids = output("top_ids");
  const Tensor* values = output("top_logprobs");
  const std::size_t likely = ids == nullptr ? 0 : ids->data.size() / sizeof(std::uint32_t) / count;
  const bool is_right = own->datatype == DataType::kFp32 && own->data.size() == count * sizeof(float) &&
                        (ids == nullptr) == (values == nullptr) &&
                        (ids == nullptr || (ids->datatype == DataType::kInt32 && values->datatype == DataType::kFp32 &&
                                            ids->data.size() == count * likely * sizeof(std::uint32_t) &&
                                            values->data.size() == ids->data.size()));
  if (!is_right) {
    return fail(Code::kInternal, "the worker's log probabilities are not those of its tokens");
  }
  for (std::size_t index = 0; index < count; ++index) {
    TokenLogprobs& one = out.emplace_back(TokenLogprobs{.logprob = value_at<float>(*own, index)});
    for (std::size_t at = index * likely; at < (index + 1) * likely; ++at) {
      one.likely.emplace_back(value_at<std::uint32_t>(*ids, at), value_at<float>(*values, at));
    }
  }
  return out;
}

}  // namespace

TextAnswer::TextAnswer() : stops_({}) {}
TextAnswer::TextAnswer(TextAnswer&&) noexcept = default;
TextAnswer& TextAnswer::operator=(TextAnswer&&) noexcept = default;
TextAnswer::~TextAnswer() = default;

TextAnswer::TextAnswer(const std::shared_ptr<const text::Tokenizer>& tokenizer, std::vector<std::string> stop,
                       std::size_t prompt_tokens)
    : stream_(tokenizer == nullptr ? nullptr : std::make_unique<text::TextStream>(tokenizer)),
      stops_(std::move(stop)),
      piece_{.text = {}, .prompt_tokens = prompt_tokens} {}

Status TextAnswer::add(std::span<const Tensor> outputs) {
  last_ = 0;
  if (outputs.empty() || is_stopped()) {
    return {};
  }
  const auto tokens = std::ranges::find(outputs, "tokens", &Tensor::name);
  if (tokens == outputs.end() || tokens->datatype != DataType::kInt32 ||
      tokens->data.size() % sizeof(std::int32_t) != 0) {
    return fail(Code::kInternal, "the worker's answer has no tokens");
  }
  const std::size_t count = tokens->data.size() / sizeof(std::uint32_t);
  const auto logprobs = logprobs_in(outputs, count);
  if (!logprobs) {
    return fail(logprobs.error());
  }
  for (std::size_t index = 0; index < count && !is_stopped(); ++index) {
    const auto id = value_at<std::uint32_t>(*tokens, index);
    piece_.ids.push_back(id);
    ++last_;
    if (!logprobs->empty()) {
      piece_.logprobs.push_back((*logprobs)[index]);
    }
    ++piece_.completion_tokens;
    if (stream_ == nullptr) {
      continue;
    }
    const auto text = stream_->add(id);
    if (!text) {
      return fail(text.error());
    }
    piece_.text += stops_.add(*text);
  }
  return {};
}

Status TextAnswer::finish() {
  if (stream_ == nullptr || is_stopped()) {
    return {};
  }
  const auto rest = stream_->finish();
  if (!rest) {
    return fail(rest.error());
  }
  piece_.text += stops_.add(*rest);
  piece_.text += stops_.finish();
  return {};
}

void TextAnswer::put_into(InferenceResponse& response) {
  response.outputs.clear();
  if (stream_ != nullptr) {
    response.outputs.push_back(text_tensor(piece_.text));
  } else if (!piece_.ids.empty()) {
    const auto count = static_cast<std::int64_t>(piece_.ids.size());
    response.outputs.push_back({.name = "tokens",
                                .datatype = DataType::kInt32,
                                .shape = {count},
                                .data = std::string(reinterpret_cast<const char*>(piece_.ids.data()),
                                                    piece_.ids.size() * sizeof(piece_.ids[0]))});
  }
  response.piece = piece_;
  piece_.text.clear();
  piece_.ids.clear();
  piece_.logprobs.clear();
  last_ = 0;
}

}  // namespace shoal::dispatch
