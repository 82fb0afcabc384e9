#include "server/text/stop_strings.hpp"

#include <algorithm>
#include <utility>

namespace shoal::text {

std::string StopStrings::add(std::string_view piece) {
  if (is_stopped_) {
    return {};
  }
  held_ += piece;
  std::size_t stop = std::string::npos;
  for (const std::string& one : stops_) {
    stop = std::min(stop, held_.find(one));
  }
  is_stopped_ = stop != std::string::npos;
  const std::size_t end = is_stopped_ ? stop : may_begin_at();
  std::string out = held_.substr(0, end);
  held_.erase(0, end);
  return out;
}

std::string StopStrings::finish() { return is_stopped_ ? std::string() : std::exchange(held_, {}); }

// Where the longest end of the text lies that one of the strings begins with.
std::size_t StopStrings::may_begin_at() const {
  std::size_t begin = held_.size();
  for (const std::string& one : stops_) {
    for (std::size_t size = std::min(one.size() - 1, held_.size()); size > held_.size() - begin; --size) {
      if (held_.ends_with(std::string_view(one).substr(0, size))) {
        begin = held_.size() - size;
        break;
      }
    }
  }
  return begin;
}

}  // namespace shoal::text
