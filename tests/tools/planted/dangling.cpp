// Planted: a moved-from string is read, and a view outlives its string. clang-tidy must refuse this file.
#include <string>
#include <string_view>
#include <utility>

std::size_t planted() {
  std::string text = "abc";
  const std::string taken = std::move(text);
  const std::string_view view = std::string("gone");
  return text.size() + taken.size() + view.size();
}
