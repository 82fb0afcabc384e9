// /v2/logging, /v2/trace/setting and /v2/models/{model}/trace/setting: Triton's log and trace settings. Main lane.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/api/http/message.hpp"
#include "server/api/services.hpp"

namespace shoal::api::http {

// What is set; a POST first changes what its body names.
boost::asio::awaitable<Response> log_settings(Services& services, Exchange& exchange);
boost::asio::awaitable<Response> trace_settings(Services& services, Exchange& exchange);

}  // namespace shoal::api::http
