// Everything that a request's header alone decides.
#include <fmt/format.h>

#include <boost/beast/http/field.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include "server/api/http/body_refusals.hpp"
#include "server/api/http/session.hpp"
#include "server/api/http/session_incoming.hpp"
#include "server/core/wall_clock.hpp"

namespace shoal::api::http {

namespace beast = boost::beast;
using beast::http::field;

bool Session::refuse_early(Incoming& incoming, Response& refusal) const {
  const auto& header = incoming.header();
  const Request& request = incoming.exchange.request;
  const Router::Match& match = incoming.match;
  const ErrorStyle style = match.errors;
  const bool is_agent_socket = request.path == kAgentSocket && context_.options.upgrade;
  if (header.version() >= 11 && header.count(field::host) != 1) {
    refusal = error_response(style, 400, argument("the request needs exactly one Host header", "Host"));
    return true;
  }
  const std::string_view origin = as_view(header[field::origin]);
  const std::string_view asked_method = as_view(header["Access-Control-Request-Method"]);
  const bool is_preflight = header.method() == beast::http::verb::options && !asked_method.empty();
  const Route* wanted = is_preflight ? context_.router.match(asked_method, request.path).route : match.route;
  incoming.shared_with = context_.options.cors.allows(origin, wanted) ? origin : std::string_view();
  const bool is_shared = !incoming.shared_with.empty();
  const bool guarded = is_shared || is_agent_socket || (match.route != nullptr && match.route->guarded);
  if (const Status status =
          context_.sites.check(as_view(header[field::host]), is_shared ? std::string_view() : origin,
                               is_shared ? std::string_view() : as_view(header["Sec-Fetch-Site"]), guarded);
      !status) {
    incoming.shared_with = {};
    refusal = error_response(style, 403, status.error());
    return true;
  }
  if (is_preflight && is_shared) {
    refusal = CorsPolicy::preflight(match.allowed);
    return true;
  }
  if (is_agent_socket) {
    if (!beast::websocket::is_upgrade(header)) {
      refusal = error_response(style, 426, argument("this is a WebSocket: an upgrade is required"));
      refusal.headers.emplace_back("Upgrade", "websocket");
      return true;
    }
    return false;
  }
  if (match.route == nullptr) {
    const bool is_method = !match.allowed.empty();
    refusal = error_response(
        style, is_method ? 405 : 404,
        {is_method ? Code::kInvalidArgument : Code::kNotFound, is_method ? "Method Not Allowed" : "Not Found", {}});
    if (is_method) {
      refusal.headers.emplace_back("Allow", match.allowed);
    }
    return true;
  }
  if (context_.options.gate != nullptr) {
    const beast::string_view sent = header[header.count(field::authorization) > 0 ? "Authorization" : "x-api-key"];
    const Status status = context_.options.gate->admit(match.route->scope, as_view(sent), request.received, wall_now());
    if (!status) {
      refusal = error_response(style, status.error());
      return true;
    }
  }
  const beast::string_view encoding = header[field::content_encoding];
  if (const auto coding = coding_of(as_view(encoding)); coding && header.count(field::content_encoding) <= 1) {
    incoming.coding = *coding;
  } else {
    refusal = error_response(
        style, 501,
        argument(fmt::format("Content-Encoding '{:.40}' is not supported", as_view(encoding)), "Content-Encoding"));
    refusal.headers.emplace_back("Accept-Encoding", "gzip, deflate");
    return true;
  }
  const auto length = incoming.parser.content_length();
  if (length && *length > match.route->body_limit) {
    refusal =
        body_too_large(style, fmt::format("the body of {} bytes exceeds the maximum allowed input size of {} bytes",
                                          *length, match.route->body_limit));
    return true;
  }
  return false;
}

}  // namespace shoal::api::http
