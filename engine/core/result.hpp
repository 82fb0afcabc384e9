// Result<T>: a value or an Error. Errors are values throughout engine/ and server/; exceptions are for bugs and for
// third-party code, and are caught where that code is called.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "engine/core/code.hpp"

namespace shoal {

struct [[nodiscard]] Error {
  Code code = Code::kInternal;
  std::string message;
  // The request field, tensor or parameter at fault; empty when it is none in particular.
  std::string param;

  // Adds where it happened: "while loading shard 3: <message>".
  Error with(std::string_view context) && {
    message = std::string(context) + ": " + message;
    return std::move(*this);
  }
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(Code code, std::string message, std::string param = {}) {
  return std::unexpected(Error{code, std::move(message), std::move(param)});
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

}  // namespace shoal
