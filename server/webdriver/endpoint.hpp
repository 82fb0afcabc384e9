// Where a WebDriver remote end is: a driver on this machine, or a grid at the address of the configuration; and where
// browsers find the agent's page. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"

namespace shoal::webdriver {

struct Endpoint {
  std::string host = "127.0.0.1";  // name or address; an IPv6 address without its brackets
  std::uint16_t port = 0;
  std::string path = {};  // before every command's target: "" or "/wd/hub"
  bool is_tls = false;
};

// From "http://host[:port][/path]". kInvalidArgument naming what was expected; https, user names and queries are
// refused.
Result<Endpoint> parse_endpoint(std::string_view url);
// The same of a page: https is fine.
Result<Endpoint> parse_page_url(std::string_view url);

std::string authority_of(const Endpoint& endpoint);  // "host:port", "[::1]:4444"
std::string url_of(const Endpoint& endpoint);

}  // namespace shoal::webdriver
