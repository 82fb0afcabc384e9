// Which handler answers which path, and under which limits. Immutable once serving; main lane.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/http/errors.hpp"
#include "server/api/http/message.hpp"
#include "server/auth/key.hpp"

namespace shoal::api::http {

struct Route {
  Handler handler;
  std::size_t body_limit = 0;
  ErrorStyle errors = ErrorStyle::kKserve;
  bool guarded = false;                     // only for our own pages: exact Host, and Origin where one is sent
  auth::Scope scope = auth::Scope::kAdmin;  // of the key that it asks for, where keys are asked for
};

class Router {
 public:
  struct Match {
    const Route* route = nullptr;  // null: no such path, or `allowed` names other methods
    std::string allowed;           // methods of the path, for 405
    ErrorStyle errors = ErrorStyle::kKserve;
    std::map<std::string, std::string, std::less<>> captures;
  };

  // `pattern`: segments of text, "{name}" for one segment, or a last "{name...}" for all the rest.
  // Segments of text win over captures.
  void add(std::string_view method, std::string_view pattern, Route route);
  [[nodiscard]] Match match(std::string_view method, std::string_view path) const;
  // Every route: what must be true of all of them is checked by a walk.
  void each(
      const std::function<void(const std::string& method, const std::string& pattern, const Route&)>& visit) const;

 private:
  struct Entry {
    std::vector<std::string> segments;
    std::map<std::string, Route, std::less<>> methods;
  };
  std::vector<Entry> entries_;
};

// "%2F" and so on; an invalid escape stays as it is.
std::string percent_decode(std::string_view text);

}  // namespace shoal::api::http
