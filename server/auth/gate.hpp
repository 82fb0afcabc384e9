// Who may do what: open until it is closed with a book of keys. One for all protocols; main lane. Time is passed in.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/auth/key_book.hpp"
#include "server/core/clock.hpp"

namespace shoal::auth {

class Gate {
 public:
  // From now on keys are asked for; a later book takes the place of the one before.
  void close(KeyBook book);
  [[nodiscard]] bool is_closed() const { return book_.has_value(); }
  // Told of every refusal; set before the first.
  void set_refused(std::function<void(Code)> refused) { refused_ = std::move(refused); }

  // `authorization`: the header "Bearer KEY", or the bare key of x-api-key; empty = none was sent. kUnauthenticated,
  // kPermissionDenied, kQuotaExceeded.
  Status admit(Scope scope, std::string_view authorization, TimePoint now, WallTime wall);

 private:
  // What is left of a key's requests; it fills up at its rate, to its burst.
  struct Allowance {
    double left = 0;
    TimePoint since;
  };
  Status decide(Scope scope, std::string_view authorization, TimePoint now, WallTime wall);
  Status spend(const Key& key, TimePoint now);

  std::optional<KeyBook> book_;
  std::map<std::string, Allowance> allowances_;  // by id, of keys that have a rate
  std::function<void(Code)> refused_;
};

}  // namespace shoal::auth
