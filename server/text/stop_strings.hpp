// Ends a text that grows before the first of some strings. Bytes that may be the beginning of one are held back until
// it is certain. Of one answer, on one thread at a time. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace shoal::text {

class StopStrings {
 public:
  // None of them is empty.
  explicit StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // What can be told once `piece` has come. Nothing more after is_stopped().
  std::string add(std::string_view piece);
  // What was held back, when nothing follows.
  std::string finish();
  // One of them has come.
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }

 private:
  [[nodiscard]] std::size_t may_begin_at() const;

  std::vector<std::string> stops_;
  std::string held_;
  bool is_stopped_ = false;
};

}  // namespace shoal::text
