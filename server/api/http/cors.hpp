// Which other sites' pages may use the inference routes (CORS). What browsers are told applies only to routes that are
// for programs (infer, health); pages of other sites never reach admin, metrics or the agent. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "server/api/http/message.hpp"
#include "server/api/http/router.hpp"

namespace shoal::api::http {

class CorsPolicy {
 public:
  // No page of another site.
  CorsPolicy() = default;
  // "https://app.example,http://localhost:5173": as browsers write origins, compared exactly. "*": any. Empty: none.
  // kInvalidArgument with the one that is no origin.
  static Result<CorsPolicy> parse(std::string_view origins);

  [[nodiscard]] bool is_for_all() const { return is_for_all_; }
  // Whether a page of `origin` may use `route`; null is no route. An empty origin is no page's.
  [[nodiscard]] bool allows(std::string_view origin, const Route* route) const;

  // Lets a page of `origin`, which is allowed, read the answer.
  void open(Response& response, std::string_view origin) const;
  // What a browser asks for before a request: `methods` are the path's, "GET, POST".
  static Response preflight(std::string_view methods);

 private:
  std::vector<std::string> origins_;
  bool is_for_all_ = false;
};

}  // namespace shoal::api::http
