// The command line's side of a running server's /admin/v1: one request on a connection of its own, bounded in time and
// size. Calling thread; blocks.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/app/http_call.hpp"
#include "server/core/clock.hpp"

namespace shoal::app {

class AdminClient {
 public:
  // "http://127.0.0.1:8000" or "127.0.0.1:8000"; kInvalidArgument for anything else.
  static Result<AdminClient> to(std::string_view server);
  // To the one that was named on the command line; an empty name: to the one that `otherwise` gives.
  static Result<AdminClient> to_chosen(const std::string& server,
                                       const std::function<Result<std::string>()>& otherwise);

  // The answer's document; the server's own error; kUnavailable when nobody listens there.
  [[nodiscard]] Result<nlohmann::ordered_json> get(const std::string& path) const { return send("GET", path, {}); }
  [[nodiscard]] Result<nlohmann::ordered_json> post(const std::string& path, const nlohmann::json& body,
                                                    Duration patience = std::chrono::seconds(10)) const {
    return send("POST", path, body.dump(), patience);
  }
  [[nodiscard]] Result<nlohmann::ordered_json> put(const std::string& path, const nlohmann::json& body) const {
    return send("PUT", path, body.dump());
  }
  [[nodiscard]] Result<nlohmann::ordered_json> remove(const std::string& path) const {
    return send("DELETE", path, {});
  }
  [[nodiscard]] const std::string& address() const { return call_.address(); }

 private:
  explicit AdminClient(HttpCall call) : call_(std::move(call)) {}
  [[nodiscard]] Result<nlohmann::ordered_json> send(const char* method, const std::string& path,
                                                    const std::string& body,
                                                    Duration patience = std::chrono::seconds(10)) const;

  HttpCall call_;
};

}  // namespace shoal::app
