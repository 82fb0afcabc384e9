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
  if (outputs.empty() || is_stopped()) {
    return {};
  }
  const auto tokens = std::ranges::find(outputs, "tokens", &Tensor::name);
  if (tokens == outputs.end() || tokens->datatype != DataType::kInt32 ||
      tokens->data.size() % sizeof(std::int32_t) != 0) {
    return fail(Code::kInternal, "the worker's answer has no tokens");
  }
  for (std::size_t at = 0; at < tokens->data.size() && !is_stopped(); at += sizeof(std::uint32_t)) {
    std::uint32_t id = 0;
    std::memcpy(&id, tokens->data.data() + at, sizeof(id));
    piece_.ids.push_back(id);
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
}

}  // namespace shoal::dispatch
