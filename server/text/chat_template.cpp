#include "server/text/chat_template.hpp"

#include <fmt/format.h>

#include <array>

#include "server/text/tokenizers_c/shoal_tokenizers.h"

namespace shoal::text {
namespace {

using Json = nlohmann::ordered_json;

std::size_t format_time(const void* context, const char* format, char* out, std::size_t size) {
  std::tm parts{};
  return ::localtime_r(static_cast<const std::time_t*>(context), &parts) == nullptr
             ? 0
             : std::strftime(out, size, format, &parts);
}

// Tokens by name. One is a text, or an object with the text as "content".
Result<Json> special_tokens_in(std::string_view tokenizer_config) {
  Json out = Json::object();
  if (tokenizer_config.empty()) {
    return out;
  }
  const Json config = Json::parse(tokenizer_config, nullptr, false);
  if (!config.is_object()) {
    return fail(Code::kInvalidArgument, "tokenizer_config.json is no JSON object");
  }
  for (const char* name :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
    const auto found = config.find(name);
    if (found == config.end()) {
      continue;
    }
    if (found->is_string()) {
      out[name] = *found;
    } else if (found->is_object() && found->contains("content")) {
      out[name] = (*found)["content"];
    }
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<const ChatTemplate>> ChatTemplate::load(std::string_view source,
                                                               std::string_view tokenizer_config) {
  if (source.size() > kMaxSourceBytes) {
    return fail(Code::kResourceLimit,
                fmt::format("chat template: {} bytes, the limit is {}", source.size(), kMaxSourceBytes));
  }
  auto special_tokens = special_tokens_in(tokenizer_config);
  if (!special_tokens) {
    return fail(std::move(special_tokens.error()));
  }
  std::array<char, 1024> error{};
  ShoalTemplate* handle = nullptr;
  if (shoal_template_load(reinterpret_cast<const std::uint8_t*>(source.data()), source.size(), &handle, error.data(),
                          error.size()) != SHOAL_TOKENIZER_OK) {
    return fail(Code::kInvalidArgument, fmt::format("chat template: {}", error.data()));
  }
  return std::shared_ptr<const ChatTemplate>(
      new ChatTemplate(handle, std::move(*special_tokens), text::tool_style(source)));
}

ChatTemplate::~ChatTemplate() { shoal_template_free(handle_); }

Result<std::string> ChatTemplate::render(const Json& messages, const ChatOptions& options) const {
  Json variables = special_tokens_;
  variables["tools"] = nullptr;
  variables["documents"] = nullptr;
  variables.update(options.variables);
  variables["messages"] = messages;
  variables["add_generation_prompt"] = options.add_generation_prompt;
  const std::string json = variables.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::array<char, 1024> error{};
  ShoalText text{};
  if (shoal_template_render(handle_, reinterpret_cast<const std::uint8_t*>(json.data()), json.size(), kMaxTextBytes,
                            format_time, &options.now, &text, error.data(), error.size()) != SHOAL_TOKENIZER_OK) {
    return fail(Code::kInvalidArgument, fmt::format("chat template: {}", error.data()), "messages");
  }
  std::string out(reinterpret_cast<const char*>(text.bytes), text.size);
  shoal_text_free(&text);
  return out;
}

}  // namespace shoal::text
