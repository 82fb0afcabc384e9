#include "server/api/http/file_body.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fstream>

#include "server/api/http/offload.hpp"

namespace shoal::api::http {

namespace asio = boost::asio;

namespace {
constexpr std::size_t kBlock = std::size_t{256} << 10;
}  // namespace

asio::awaitable<bool> write_file(net::TimedStream& stream, asio::thread_pool& cpu, FileSlice slice,
                                 std::chrono::seconds timeout) {
  std::ifstream file(slice.path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(slice.offset));
  std::string block(std::min<std::uint64_t>(kBlock, slice.length), '\0');
  while (slice.length > 0) {
    const std::uint64_t wanted = std::min<std::uint64_t>(block.size(), slice.length);
    const bool is_read = co_await offload(
        cpu, [&] { return static_cast<bool>(file.read(block.data(), static_cast<std::streamsize>(wanted))); });
    if (!is_read) {
      co_return false;
    }
    stream.expires_after(timeout);
    const auto [error, count] =
        co_await asio::async_write(stream, asio::buffer(block.data(), wanted), asio::as_tuple(asio::use_awaitable));
    if (error) {
      co_return false;
    }
    slice.length -= wanted;
  }
  co_return true;
}

}  // namespace shoal::api::http
