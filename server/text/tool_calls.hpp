// Calls of tools in the text of an answer, in the form that a model's chat template has taught it. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shoal::text {

enum class ToolStyle : std::uint8_t {
  kNone,    // the template takes no tools
  kHermes,  // <tool_call>\n{"name": ..., "arguments": {...}}\n</tool_call>, as Qwen has it
  kLlama3,  // {"name": ..., "parameters": {...}} and nothing else
};

// By what the template's source says.
ToolStyle tool_style(std::string_view chat_template);

struct ToolCall {
  std::string name;
  std::string arguments;  // a JSON object
};

// An answer that grows: what is said in it, and what is called. What only looks like a call is said. Of one answer, on
// one thread at a time.
class ToolCalls {
 public:
  struct Piece {
    std::string content;
    std::vector<ToolCall> calls;
  };

  explicit ToolCalls(ToolStyle style) : style_(style) {}

  // What `text` adds. Words that may begin a call, and space before one, are held back.
  Piece add(std::string_view text);
  // What was held back, when nothing follows.
  Piece finish();

 private:
  void read_hermes(Piece& piece, bool is_end);
  void read_llama3(Piece& piece, bool is_end);

  ToolStyle style_;
  std::string held_;
  bool is_behind_call_ = false;  // of kHermes
  bool is_said_ = false;         // of kLlama3: the answer is no call
};

}  // namespace shoal::text
