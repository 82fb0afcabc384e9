#include "server/api/http/coded_body.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "server/api/http/body_refusals.hpp"
#include "server/api/http/offload.hpp"

namespace shoal::api::http {

namespace asio = boost::asio;

namespace {
// As much as the lane itself takes in and puts out: then a thread of the pool goes on.
constexpr std::size_t kOnLaneBytes = std::size_t{64} << 10;
// Below it the client gains less than the round to the pool costs.
constexpr std::size_t kWorthwhileBytes = 1024;
// zlib counts with 32 bits.
constexpr std::size_t kMostBytes = std::numeric_limits<std::uint32_t>::max();
}  // namespace

asio::awaitable<std::optional<Response>> inflate_body(std::string& body, Coding coding, InflateBounds bounds,
                                                      HeldBytes& held, ErrorStyle style, asio::thread_pool& cpu) {
  Inflater inflater(coding, body);
  std::string plain;
  // One byte more than it may become tells that it is too large.
  std::size_t count = std::min(kOnLaneBytes, bounds.body + 1);
  for (bool has_ended = false; !has_ended;) {
    if (!held.grow(count, bounds.all_bodies)) {
      co_return bodies_too_many(style);
    }
    const auto step = [&] { return inflater.append(plain, count); };
    const bool is_small = plain.empty() && body.size() <= kOnLaneBytes;
    const Result<bool> done = is_small ? step() : co_await offload(cpu, step);
    if (!done) {
      co_return error_response(style, done.error());
    }
    if (plain.size() > bounds.body) {
      co_return body_too_large(
          style, fmt::format("the decompressed body exceeds the maximum allowed input size of {} bytes", bounds.body));
    }
    has_ended = *done;
    count = std::min(plain.size(), bounds.body + 1 - plain.size());
  }
  body = std::move(plain);
  co_return std::nullopt;
}

Coding answer_coding(const Response& response, std::string_view accept_encoding) {
  const bool is_candidate =
      response.body.size() >= kWorthwhileBytes && response.body.size() <= kMostBytes && !response.file;
  return is_candidate && !accept_encoding.empty() ? preferred_coding(accept_encoding) : Coding::kIdentity;
}

asio::awaitable<void> compress_answer(Response& response, Coding coding, asio::thread_pool& cpu) {
  auto body = co_await offload(cpu, [&] { return compressed(coding, response.body); });
  if (body) {
    response.body = *std::move(body);
    response.headers.emplace_back("Content-Encoding", coding_name(coding));
    response.headers.emplace_back("Vary", "Accept-Encoding");
  }
}

}  // namespace shoal::api::http
