// The bytes of a file as an answer's body: read in blocks on the CPU pool, written on the lane.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>

#include "server/api/http/message.hpp"
#include "server/net/timed_stream.hpp"

namespace shoal::api::http {

// False when the file ended early or the client is gone. The length is promised by then: the caller must cut the
// connection, nothing else tells the client. Each block has `timeout` to leave.
boost::asio::awaitable<bool> write_file(net::TimedStream& stream, boost::asio::thread_pool& cpu, FileSlice slice,
                                        std::chrono::seconds timeout);

}  // namespace shoal::api::http
