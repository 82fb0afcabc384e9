// What an answer is held to. A value.
#pragma once

#include <string>

namespace shoal::dispatch {

// A grammar for text::Grammars.
struct AnswerGrammar {
  std::string text;
  bool is_schema = false;  // a JSON schema, else Lark
  std::string param;       // the member of the request that it comes from
};

}  // namespace shoal::dispatch
