// Needs at least one of the browsers and its driver; a kind that is not installed is skipped by name.
#include "server/webdriver/browser.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "server/net/deadline.hpp"
#include "server/webdriver/launch.hpp"
#include "server/webdriver/process_tree.hpp"
#include "tests/support/run_on_lane.hpp"

namespace shoal::webdriver {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using asio::ip::tcp;

constexpr auto kPatience = 60s;  // with a machine that has other work too

fs::path shoal_home() {
  const char* home = std::getenv("SHOAL_HOME");
  const char* source = std::getenv("SHOAL_SOURCE_DIR");
  return home != nullptr ? fs::path(home) : fs::path(source == nullptr ? "." : source) / ".shoal";
}

class BrowserTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("shoal_browser_test_" + std::to_string(getpid()));
    const BrowserKind& kind = *find_browser_kind(GetParam());
    browser_ = (shoal_home() / kind.browser_path).string();
    driver_ = (shoal_home() / kind.driver_path).string();
    for (const std::string& program : {browser_, driver_, std::string(kind.display_server)}) {
      if (!program.empty() && access(program.c_str(), X_OK) != 0) {
        GTEST_SKIP() << program << " is not installed";
      }
    }
    spec_ = spec_of(browser_);
  }
  [[nodiscard]] BrowserSpec spec_of(const std::string& browser) const {
    return local_browser(*find_browser_kind(GetParam()),
                         {.supervisor = "/proc/self/exe", .browser = browser, .driver = driver_}, read_machine_facts(),
                         {.software_adapter = true,
                          .headed = false,
                          .profile = profile(),
                          .temporary = temporary(),
                          .log_path = folder_ / "driver.log",
                          .agent_url = {},
                          .extra_arguments = {}});
  }
  [[nodiscard]] std::string profile() const { return folder_ / "profile"; }
  [[nodiscard]] std::string temporary() const { return folder_ / "tmp"; }
  void TearDown() override {
    EXPECT_TRUE(left().empty());
    fs::remove_all(folder_);
  }
  [[nodiscard]] std::vector<pid_t> left() const { return processes_with_environment("SHOAL_PROFILE=" + profile()); }

  // Opens a page and returns whether the browser asks for it. A browser asks for more (icons, what it asked for
  // before).
  static asio::awaitable<bool> visit(Browser& browser, tcp::acceptor& acceptor, std::string path) {
    const std::string url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + path;
    const Status opened = co_await browser.open(url, Clock::now() + kPatience);
    EXPECT_TRUE(opened) << opened.error().message;
    for (int request_count = 0; opened && request_count < 20; ++request_count) {
      tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
      std::string request;
      co_await asio::async_read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n",
                                      asio::as_tuple(asio::use_awaitable));
      const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      co_await asio::async_write(socket, asio::buffer(answer), asio::as_tuple(asio::use_awaitable));
      if (request.starts_with("GET " + path + " HTTP/1.1\r\n")) {
        co_return true;
      }
    }
    co_return false;
  }
  // Kills the driver, or the first other process below the supervisor that is not its display.
  void kill_one(const Browser& browser, bool driver) const {
    for (const pid_t pid : descendants(browser.root_pid())) {
      std::error_code gone;
      const fs::path program = fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", gone).filename();
      if (!gone && program != "Xvfb" && (program == fs::path(driver_).filename()) == driver) {
        kill(pid, SIGKILL);
        return;
      }
    }
    ADD_FAILURE() << "no such process";
  }
  static tcp::acceptor listener(const asio::any_io_executor& executor) {
    return {executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  }

  fs::path folder_;
  std::string browser_;
  std::string driver_;
  BrowserSpec spec_;
};

TEST_P(BrowserTest, OpensAPageAndLeavesNothing) {
  testing_support::run_on_lane([this](asio::any_io_executor executor) -> asio::awaitable<void> {
    tcp::acceptor acceptor = listener(executor);
    Browser browser(executor, spec_, Log::discard());
    const TimePoint begin = Clock::now();
    EXPECT_TRUE(co_await visit(browser, acceptor, "/agent/?slot=a%2F0&token=t"));
    RecordProperty("open_ms", static_cast<int>((Clock::now() - begin) / 1ms));
    EXPECT_FALSE(browser.version().empty());
    EXPECT_GT(tree_pss_bytes(browser.root_pid()), 50'000'000U);
    co_await browser.end_and_forget(Clock::now() + kPatience);
    EXPECT_FALSE(fs::exists(profile()));
    EXPECT_FALSE(fs::exists(temporary()));
  });
}

TEST_P(BrowserTest, AKilledBrowserIsReplacedOnTheSameDriverAndProfile) {
  testing_support::run_on_lane([this](asio::any_io_executor executor) -> asio::awaitable<void> {
    tcp::acceptor acceptor = listener(executor);
    Browser browser(executor, spec_, Log::discard());
    EXPECT_TRUE(co_await visit(browser, acceptor, "/first"));
    const pid_t root = browser.root_pid();
    for (int round = 0; round < 3; ++round) {
      const TimePoint begin = Clock::now();
      kill_one(browser, false);
      const Status dropped = co_await browser.drop(Clock::now() + kPatience);
      EXPECT_EQ(dropped.has_value(), find_browser_kind(GetParam())->driver_reaps);
      if (!dropped) {
        co_await browser.end(Clock::now() + kPatience);
      }
      EXPECT_TRUE(co_await visit(browser, acceptor, "/again"));
      EXPECT_EQ(browser.root_pid() == root, dropped.has_value());
      std::printf("relaunched in %d ms\n", static_cast<int>((Clock::now() - begin) / 1ms));
    }
    co_await browser.end(Clock::now() + kPatience);
  });
}

TEST_P(BrowserTest, ADriverThatIsKilledTakesItsBrowserAlong) {
  testing_support::run_on_lane([this](asio::any_io_executor executor) -> asio::awaitable<void> {
    tcp::acceptor acceptor = listener(executor);
    Browser browser(executor, spec_, Log::discard());
    EXPECT_TRUE(co_await visit(browser, acceptor, "/first"));
    kill_one(browser, true);
    co_await browser.driver_ended();
    EXPECT_TRUE(left().empty());
    EXPECT_FALSE(co_await browser.drop(Clock::now() + 1s));
    co_await browser.end(Clock::now() + kPatience);
    EXPECT_TRUE(co_await visit(browser, acceptor, "/second"));
    co_await browser.end(Clock::now() + kPatience);
  });
}

TEST_P(BrowserTest, ASupervisorThatIsKilledLeavesNothingAfterTheEnd) {
  testing_support::run_on_lane([this](asio::any_io_executor executor) -> asio::awaitable<void> {
    tcp::acceptor acceptor = listener(executor);
    Browser browser(executor, spec_, Log::discard());
    EXPECT_TRUE(co_await visit(browser, acceptor, "/first"));
    kill(browser.root_pid(), SIGKILL);
    co_await browser.driver_ended();
    co_await browser.end(Clock::now() + kPatience);
    asio::steady_timer timer(executor);
    for (const TimePoint end = Clock::now() + kPatience; !left().empty() && Clock::now() < end;) {
      timer.expires_after(5ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
    EXPECT_TRUE(left().empty());
  });
}

TEST_P(BrowserTest, ABrowserThatCannotStartIsAnError) {
  testing_support::run_on_lane([this](asio::any_io_executor executor) -> asio::awaitable<void> {
    spec_ = spec_of("/bin/false");
    Browser browser(executor, spec_, Log::discard());
    const Status opened = co_await browser.open("http://127.0.0.1:1/", Clock::now() + 5s);
    EXPECT_FALSE(opened);
    // chromedriver sees it end, geckodriver that it is no Firefox, and WebKitWebDriver waits for it for ever.
    EXPECT_TRUE(opened.error().code == Code::kUnavailable || opened.error().code == Code::kInvalidArgument ||
                opened.error().code == Code::kDeadlineExceeded)
        << opened.error().message;
    co_await browser.end(Clock::now() + kPatience);
  });
}

INSTANTIATE_TEST_SUITE_P(Kinds, BrowserTest, ::testing::Values("headless_shell", "chromium", "firefox", "webkitgtk"));

}  // namespace
}  // namespace shoal::webdriver
