#include "server/api/http/router.hpp"

#include <charconv>
#include <utility>

#include "server/core/split.hpp"

namespace shoal::api::http {
namespace {

// `path` is empty or begins with a slash.
std::vector<std::string_view> segments_of(std::string_view path) {
  return path.empty() ? std::vector<std::string_view>() : split(path.substr(1), '/');
}

bool is_capture(std::string_view segment) { return segment.starts_with('{'); }
bool is_rest(std::string_view segment) { return segment.ends_with("...}"); }

using Captures = std::map<std::string, std::string, std::less<>>;

// How well the pattern fits: nothing when it does not, else more for each segment of text, earlier ones counting more.
std::optional<std::uint64_t> fit(const std::vector<std::string>& pattern, const std::vector<std::string_view>& path,
                                 Captures& captures) {
  const bool takes_rest = !pattern.empty() && is_rest(pattern.back());
  if (takes_rest ? path.size() < pattern.size() : path.size() != pattern.size()) {
    return std::nullopt;
  }
  std::uint64_t score = 0;
  for (std::size_t index = 0; index < pattern.size(); ++index) {
    const std::string_view segment = pattern[index];
    score <<= 1;
    if (!is_capture(segment)) {
      if (segment != path[index]) {
        return std::nullopt;
      }
      score |= 1;
    } else if (is_rest(segment)) {
      const char* first = path[index].data();
      const char* last = path.back().data() + path.back().size();
      captures.emplace(segment.substr(1, segment.size() - 5),
                       percent_decode({first, static_cast<std::size_t>(last - first)}));
    } else {
      captures.emplace(segment.substr(1, segment.size() - 2), percent_decode(path[index]));
    }
  }
  return score;
}

}  // namespace

std::string percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t index = 0; index < text.size(); ++index) {
    unsigned byte = 0;
    if (text[index] == '%' && text.size() - index > 2) {
      const char* first = text.data() + index + 1;
      if (const auto end = std::from_chars(first, first + 2, byte, 16); end.ptr == first + 2) {
        out.push_back(static_cast<char>(byte));
        index += 2;
        continue;
      }
    }
    out.push_back(text[index]);
  }
  return out;
}

void Router::add(std::string_view method, std::string_view pattern, Route route) {
  std::vector<std::string> segments;
  for (const std::string_view segment : segments_of(pattern)) {
    segments.emplace_back(segment);
  }
  for (Entry& entry : entries_) {
    if (entry.segments == segments) {
      entry.methods.insert_or_assign(std::string(method), std::move(route));
      return;
    }
  }
  Entry& entry = entries_.emplace_back();
  entry.segments = std::move(segments);
  entry.methods.emplace(method, std::move(route));
}

void Router::each(
    const std::function<void(const std::string& method, const std::string& pattern, const Route&)>& visit) const {
  for (const Entry& entry : entries_) {
    std::string pattern;
    for (const std::string& segment : entry.segments) {
      pattern += "/" + segment;
    }
    for (const auto& [method, route] : entry.methods) {
      visit(method, pattern, route);
    }
  }
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match best;
  best.errors = path.starts_with("/v1/") ? ErrorStyle::kOpenai : ErrorStyle::kKserve;
  if (!path.starts_with('/')) {
    return best;
  }
  const std::vector<std::string_view> segments = segments_of(path);
  std::optional<std::uint64_t> best_score;
  for (const Entry& entry : entries_) {
    Captures captures;
    const auto score = fit(entry.segments, segments, captures);
    if (!score || (best_score && *score <= *best_score)) {
      continue;
    }
    best_score = score;
    best.captures = std::move(captures);
    best.route = nullptr;
    best.allowed.clear();
    // HEAD is GET without the body.
    auto route = entry.methods.find(method);
    route = route == entry.methods.end() && method == "HEAD" ? entry.methods.find("GET") : route;
    if (route != entry.methods.end()) {
      best.route = &route->second;
      best.errors = route->second.errors;
      continue;
    }
    for (const auto& [allowed, other] : entry.methods) {
      best.allowed += (best.allowed.empty() ? "" : ", ") + allowed;
      best.errors = other.errors;
    }
  }
  return best;
}

}  // namespace shoal::api::http
