// Sends a body that is made while it is sent.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/chunk_encode.hpp>

#include "server/api/http/session.hpp"
#include "server/api/http/session_incoming.hpp"

namespace shoal::api::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

asio::awaitable<bool> Session::write_parts(Incoming& incoming, NextPart parts) {
  const auto write_timeout = context_.options.limits.write_timeout;
  const bool is_chunked = incoming.header().version() != 10;
  begin_handling(incoming);
  bool is_written = !is_gone_;
  while (is_written) {
    stream_.expires_never();
    std::optional<std::string> part;
    // As in handle(): what it throws is a bug or bad_alloc, and the client sees the body break off.
    try {
      part = co_await parts();
    } catch (const std::exception& failure) {
      context_.log.error("http_body_failed", {{"path", incoming.exchange.request.path}, {"what", failure.what()}});
      is_written = false;
    }
    if (!part || is_gone_) {
      break;
    }
    stream_.expires_after(write_timeout);
    if (is_chunked) {
      const auto [error, count] =
          co_await asio::async_write(stream_, beast::http::make_chunk(asio::buffer(*part)), kNoThrow);
      is_written = !error;
    } else {
      const auto [error, count] = co_await asio::async_write(stream_, asio::buffer(*part), kNoThrow);
      is_written = !error;
    }
  }
  end_handling();
  incoming.exchange.on_disconnect = nullptr;
  if (!is_written || is_gone_) {
    co_return false;
  }
  if (is_chunked) {
    stream_.expires_after(write_timeout);
    const auto [error, count] = co_await asio::async_write(stream_, beast::http::make_chunk_last(), kNoThrow);
    co_return !error;
  }
  co_return true;
}

}  // namespace shoal::api::http
