// An HTTP exchange as handlers see it: free of Beast, so that only session.cpp compiles it. Main lane.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/core/clock.hpp"

namespace shoal::api::http {

struct Request {
  std::string method;
  std::string path;                                          // as sent, without the query
  std::string query;                                         // as sent, without '?'
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::map<std::string, std::string, std::less<>> captures;  // {name} segments of the route, percent-decoded
  std::string request_id;
  TimePoint received;

  // The first header of this lower-case name; empty when there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const {
    const auto found =
        std::ranges::find(headers, name, [](const auto& field) { return std::string_view(field.first); });
    return found == headers.end() ? std::string_view{} : std::string_view(found->second);
  }
  [[nodiscard]] std::string_view capture(std::string_view name) const {
    const auto found = captures.find(name);
    return found == captures.end() ? std::string_view{} : std::string_view(found->second);
  }
};

// Part of a file, sent in blocks that are read off the lane.
struct FileSlice {
  std::filesystem::path path;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// The next part of a body that is made while it is sent; nothing = it has ended. What it refers to goes with it when
// the client does.
using NextPart = std::function<boost::asio::awaitable<std::optional<std::string>>()>;

struct Response {
  unsigned status = 200;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::optional<FileSlice> file;  // instead of `body`
  NextPart parts = {};            // instead of `body`, each sent as soon as it is there
  bool close = false;             // the connection ends after this answer
};

// Owned by the session for one request. The session calls on_disconnect at most once, when the client goes away while
// the handler or the parts of its answer are running; they still finish, and what they give is dropped.
struct Exchange {
  Request request;
  std::function<void()> on_disconnect;
  bool is_gone = false;  // the client went away
};

using Handler = std::function<boost::asio::awaitable<Response>(Exchange&)>;

}  // namespace shoal::api::http
