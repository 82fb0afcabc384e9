// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. Pure.
#pragma once

#include <string>
#include <string_view>

namespace shoal::wire {

bool is_utf8(std::string_view text);
// Requires: a code point below 0x110000 that is no surrogate.
void append_utf8(std::string& out, char32_t code_point);

}  // namespace shoal::wire
