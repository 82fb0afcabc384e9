// The HTTP request that asks for a WebSocket, as the HTTP front end hands it to the pool with its socket.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>

namespace shoal::net {

using UpgradeRequest = boost::beast::http::request<boost::beast::http::empty_body>;

}  // namespace shoal::net
