#include "server/webdriver/shared_driver.hpp"

#include "server/webdriver/browser.hpp"

namespace shoal::webdriver {

namespace asio = boost::asio;

asio::awaitable<Result<Endpoint>> SharedDriver::start(TimePoint /*deadline*/) {
  if (!spec_.host->has_tabs()) {
    co_return fail(Code::kUnavailable, "the browser that it is a tab of is not there");
  }
  co_return spec_.host->endpoint();
}

asio::awaitable<Status> SharedDriver::kill_browser(TimePoint /*deadline*/) { co_return Status(); }
asio::awaitable<void> SharedDriver::end(TimePoint /*deadline*/) { co_return; }
asio::awaitable<void> SharedDriver::attend() { co_return; }

}  // namespace shoal::webdriver
