#include "server/text/tool_calls.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace shoal::text {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kOpen = "<tool_call>";
constexpr std::string_view kClose = "</tool_call>";
constexpr std::string_view kSpace = " \t\r\n";

// Its size without the space at its end.
std::size_t trimmed_end(std::string_view text) {
  const std::size_t last = text.find_last_not_of(kSpace);
  return last == std::string_view::npos ? 0 : last + 1;
}

std::string_view trimmed(std::string_view text) {
  text = text.substr(0, trimmed_end(text));
  return text.substr(std::min(text.find_first_not_of(kSpace), text.size()));
}

std::optional<ToolCall> call_of(const Json& document, const char* arguments) {
  if (!document.is_object() || !document.contains("name") || !document["name"].is_string()) {
    return std::nullopt;
  }
  const Json given = document.contains(arguments) ? document[arguments] : Json::object();
  if (given.is_string()) {
    const Json inside = Json::parse(given.get_ref<const std::string&>(), nullptr, false);
    return inside.is_object() ? std::optional(ToolCall{document["name"], given}) : std::nullopt;
  }
  return given.is_object() ? std::optional(ToolCall{document["name"], given.dump()}) : std::nullopt;
}

std::optional<ToolCall> call_in(std::string_view text, const char* arguments) {
  return call_of(Json::parse(text, nullptr, false), arguments);
}

// Where the longest end of `text` begins that is space and then a beginning of `word`.
std::size_t may_begin_at(std::string_view text, std::string_view word) {
  std::size_t begin = text.size();
  for (std::size_t size = std::min(text.size(), word.size() - 1); size > 0; --size) {
    if (text.ends_with(word.substr(0, size))) {
      begin = text.size() - size;
      break;
    }
  }
  return trimmed_end(text.substr(0, begin));
}

}  // namespace

ToolStyle tool_style(std::string_view chat_template) {
  if (!chat_template.contains("tools")) {
    return ToolStyle::kNone;
  }
  if (chat_template.contains(kOpen)) {
    return ToolStyle::kHermes;
  }
  return chat_template.contains("\"parameters\":") ? ToolStyle::kLlama3 : ToolStyle::kNone;
}

ToolCalls::Piece ToolCalls::add(std::string_view text) {
  Piece piece;
  held_ += text;
  switch (style_) {
    case ToolStyle::kNone:
      piece.content = std::exchange(held_, {});
      break;
    case ToolStyle::kHermes:
      read_hermes(piece, false);
      break;
    case ToolStyle::kLlama3:
      read_llama3(piece, false);
      break;
  }
  return piece;
}

ToolCalls::Piece ToolCalls::finish() {
  Piece piece;
  if (style_ == ToolStyle::kHermes) {
    read_hermes(piece, true);
  } else if (style_ == ToolStyle::kLlama3) {
    read_llama3(piece, true);
  }
  piece.content += std::exchange(held_, {});
  return piece;
}

void ToolCalls::read_hermes(Piece& piece, bool is_end) {
  while (true) {
    // Space around calls separates them and says nothing.
    if (is_behind_call_) {
      held_.erase(0, std::min(held_.find_first_not_of(kSpace), held_.size()));
      is_behind_call_ = held_.empty();
    }
    const std::size_t open = held_.find(kOpen);
    if (open == std::string::npos) {
      const std::size_t keep = is_end ? held_.size() : may_begin_at(held_, kOpen);
      piece.content += held_.substr(0, keep);
      held_.erase(0, keep);
      return;
    }
    const std::size_t begin = open + kOpen.size();
    const std::size_t said = trimmed_end(std::string_view(held_).substr(0, open));
    std::size_t close = held_.find(kClose, begin);
    if (close == std::string::npos && !is_end) {
      piece.content += held_.substr(0, said);
      held_.erase(0, said);
      return;
    }
    close = std::min(close, held_.size());
    const std::size_t end = std::min(close + kClose.size(), held_.size());
    auto call = call_in(trimmed(std::string_view(held_).substr(begin, close - begin)), "arguments");
    piece.content += held_.substr(0, call ? said : end);
    if (call) {
      piece.calls.push_back(*std::move(call));
      is_behind_call_ = true;
    }
    held_.erase(0, end);
  }
}

void ToolCalls::read_llama3(Piece& piece, bool is_end) {
  const std::string_view whole = trimmed(held_);
  is_said_ = is_said_ || (!whole.empty() && !whole.starts_with('{'));
  if (is_said_) {
    piece.content += std::exchange(held_, {});
    return;
  }
  if (!is_end || whole.empty()) {
    return;
  }
  // Several calls stand in lines of their own or have a semicolon between them.
  std::string_view rest = whole;
  std::vector<ToolCall> calls;
  while (!rest.empty()) {
    std::optional<ToolCall> call;
    std::size_t size = 0;
    for (std::size_t brace = rest.find('}'); brace != std::string_view::npos && !call; brace = rest.find('}', size)) {
      size = brace + 1;
      call = call_in(rest.substr(0, size), "parameters");
    }
    if (!call) {
      return;
    }
    calls.push_back(*std::move(call));
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n;", size), rest.size()));
  }
  piece.calls = std::move(calls);
  held_.clear();
}

}  // namespace shoal::text
