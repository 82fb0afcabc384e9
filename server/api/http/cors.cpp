#include "server/api/http/cors.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "server/core/split.hpp"

namespace shoal::api::http {
namespace {

// As browsers write it: lower case, no path, no port that is the scheme's own.
bool is_origin(std::string_view text) {
  constexpr std::string_view kHostCharacters = "abcdefghijklmnopqrstuvwxyz0123456789.-:[]";
  const bool is_secure = text.starts_with("https://");
  if (!is_secure && !text.starts_with("http://")) {
    return false;
  }
  const std::string_view host = text.substr(is_secure ? 8 : 7);
  return !host.empty() && host.find_first_not_of(kHostCharacters) == std::string_view::npos &&
         !host.ends_with(is_secure ? ":443" : ":80") && !host.ends_with(':');
}

}  // namespace

Result<CorsPolicy> CorsPolicy::parse(std::string_view origins) {
  CorsPolicy policy;
  if (origins.empty()) {
    return policy;
  }
  for (const std::string_view origin : split(origins, ',')) {
    if (origin == "*") {
      policy.is_for_all_ = true;
    } else if (is_origin(origin)) {
      policy.origins_.emplace_back(origin);
    } else {
      return fail(Code::kInvalidArgument,
                  fmt::format("expected http(s)://host[:port] in lower case, or *, got '{:.100}'", origin));
    }
  }
  return policy;
}

bool CorsPolicy::allows(std::string_view origin, const Route* route) const {
  const bool is_for_programs = route != nullptr && !route->guarded &&
                               (route->scope == auth::Scope::kInfer || route->scope == auth::Scope::kPublic);
  return is_for_programs && !origin.empty() && (is_for_all_ || std::ranges::find(origins_, origin) != origins_.end());
}

void CorsPolicy::open(Response& response, std::string_view origin) const {
  response.headers.emplace_back("Access-Control-Allow-Origin", is_for_all_ ? "*" : origin);
  response.headers.emplace_back("Access-Control-Expose-Headers",
                                "Inference-Header-Content-Length, Retry-After, X-Request-Id");
  if (!is_for_all_) {
    response.headers.emplace_back("Vary", "Origin");
  }
}

Response CorsPolicy::preflight(std::string_view methods) {
  Response response;
  response.status = 204;
  response.headers.emplace_back("Access-Control-Allow-Methods", methods);
  // The wildcard stands for every header but this one: SDKs send many of their own.
  response.headers.emplace_back("Access-Control-Allow-Headers", "Authorization, *");
  response.headers.emplace_back("Access-Control-Max-Age", "600");
  return response;
}

}  // namespace shoal::api::http
