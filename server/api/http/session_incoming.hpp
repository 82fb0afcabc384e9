// What the parts of a session share: a request on its way in. Included by them alone. Main lane.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "server/api/http/content_coding.hpp"
#include "server/api/http/held_bytes.hpp"
#include "server/api/http/session.hpp"

namespace shoal::api::http {

inline constexpr std::string_view kAgentSocket = "/agent/ws";

inline std::string_view as_view(boost::beast::string_view text) { return {text.data(), text.size()}; }

inline Error argument(std::string message, std::string param = {}) {
  return {Code::kInvalidArgument, std::move(message), std::move(param)};
}

// A request whose header has been read.
struct Session::Incoming {
  boost::beast::http::request_parser<boost::beast::http::string_body> parser;
  Router::Match match;
  Exchange exchange;
  HeldBytes held;
  std::size_t chunk_count = 0;
  Coding coding = Coding::kIdentity;  // of the body
  std::string_view shared_with;       // the origin of another site's page that may read the answer
  bool keep_alive = false;

  [[nodiscard]] const auto& header() const { return parser.get(); }
  [[nodiscard]] bool is_head() const { return header().method() == boost::beast::http::verb::head; }
};

}  // namespace shoal::api::http
