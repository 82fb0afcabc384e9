#include "server/wire/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace shoal::wire {

bool is_utf8(std::string_view text) {
  const auto byte_at = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const auto is_tail = [&](std::size_t index) { return index < text.size() && (byte_at(index) & 0xC0U) == 0x80U; };
  std::size_t position = 0;
  while (position < text.size()) {
    if (text.size() - position >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + position, 8);
      if ((word & 0x8080808080808080U) == 0) {
        position += 8;
        continue;
      }
    }
    const unsigned char lead = byte_at(position);
    if (lead < 0x80) {
      ++position;
      continue;
    }
    if (lead < 0xC2 || lead > 0xF4 || !is_tail(position + 1)) {
      return false;
    }
    if (lead < 0xE0) {
      position += 2;
      continue;
    }
    const unsigned char second = byte_at(position + 1);
    if (!is_tail(position + 2)) {
      return false;
    }
    if (lead < 0xF0) {
      if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) {
        return false;
      }
      position += 3;
      continue;
    }
    if (!is_tail(position + 3) || (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    position += 4;
  }
  return true;
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto push = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    push(code_point);
  } else if (code_point < 0x800) {
    push(0xC0 | (code_point >> 6));
    push(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    push(0xE0 | (code_point >> 12));
    push(0x80 | ((code_point >> 6) & 0x3F));
    push(0x80 | (code_point & 0x3F));
  } else {
    push(0xF0 | (code_point >> 18));
    push(0x80 | ((code_point >> 12) & 0x3F));
    push(0x80 | ((code_point >> 6) & 0x3F));
    push(0x80 | (code_point & 0x3F));
  }
}

}  // namespace shoal::wire
