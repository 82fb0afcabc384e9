// Compressed bodies of requests and answers. Main lane; what is large is done on the CPU pool.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "server/api/http/content_coding.hpp"
#include "server/api/http/errors.hpp"
#include "server/api/http/held_bytes.hpp"
#include "server/api/http/message.hpp"

namespace shoal::api::http {

struct InflateBounds {
  std::size_t body = 0;        // what a body may become, in bytes
  std::size_t all_bodies = 0;  // what all that are held may take together
};

// Decompresses `body` in place; `held`, which holds it already, grows before it does. Else the refusal.
boost::asio::awaitable<std::optional<Response>> inflate_body(std::string& body, Coding coding, InflateBounds bounds,
                                                             HeldBytes& held, ErrorStyle style,
                                                             boost::asio::thread_pool& cpu);

// How the answer is to be sent: compressed where the client likes that and there is enough to gain.
Coding answer_coding(const Response& response, std::string_view accept_encoding);
// Unchanged where it would not become smaller. `coding` is kGzip or kDeflate.
boost::asio::awaitable<void> compress_answer(Response& response, Coding coding, boost::asio::thread_pool& cpu);

}  // namespace shoal::api::http
