#include "server/net/websocket.hpp"

#include <gtest/gtest.h>

#include "server/net/deadline.hpp"
#include "server/net/task_group.hpp"
#include "tests/support/loopback_websocket.hpp"
#include "tests/support/run_on_lane.hpp"

namespace shoal::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace testing_support;
using asio::ip::tcp;
using asio::experimental::awaitable_operators::operator&&;

struct Ends {
  std::unique_ptr<WebSocket> server;
  std::unique_ptr<Client> client;
};

asio::awaitable<std::unique_ptr<WebSocket>> serve_one(tcp::acceptor& acceptor, WebSocket::Limits limits) {
  Incoming incoming = co_await accept_upgrade(acceptor);
  auto socket = std::make_unique<WebSocket>(std::move(incoming.socket), limits);
  EXPECT_TRUE(co_await socket->accept(std::move(incoming.request)));
  co_return socket;
}

asio::awaitable<Ends> connected(asio::any_io_executor executor, WebSocket::Limits limits = {}) {
  tcp::acceptor acceptor(executor, {asio::ip::address_v4::loopback(), 0});
  Ends ends;
  ends.client = std::make_unique<Client>(executor);
  auto both = co_await (serve_one(acceptor, limits) && connect(*ends.client, acceptor.local_endpoint(), "http://o"));
  ends.server = std::move(std::get<0>(both));
  co_return ends;
}

TEST(WebSocketTest, MessagesGoBothWays) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    Ends ends = co_await connected(executor);
    TaskGroup tasks(executor, Log::discard());
    tasks.spawn("writer", ends.server->write_loop());
    EXPECT_TRUE(ends.server->send("hello"));
    EXPECT_EQ((co_await read_message(*ends.client)).value_or(""), "hello");
    co_await write_message(*ends.client, "there");
    EXPECT_EQ((co_await ends.server->read()).value_or(""), "there");
    ends.server->abort();
    co_await tasks.close();
  });
}

TEST(WebSocketTest, ControlOvertakesBulkAndTheSourceIsPulledLazily) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    Ends ends = co_await connected(executor);
    int made = 0;
    ends.server->set_bulk_source([&made, &ends]() -> std::optional<std::string> {
      if (made == 5) {
        return std::nullopt;
      }
      if (++made == 3) {
        EXPECT_TRUE(ends.server->send("control"));
      }
      return "bulk" + std::to_string(made);
    });
    TaskGroup tasks(executor, Log::discard());
    tasks.spawn("writer", ends.server->write_loop());
    std::vector<std::string> received;
    for (int count = 0; count < 6; ++count) {
      received.push_back((co_await read_message(*ends.client)).value_or(""));
    }
    EXPECT_EQ(received, (std::vector<std::string>{"bulk1", "bulk2", "bulk3", "control", "bulk4", "bulk5"}));
    ends.server->abort();
    co_await tasks.close();
  });
}

TEST(WebSocketTest, CloseSendsWhatIsQueuedThenItsCode) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    Ends ends = co_await connected(executor);
    EXPECT_TRUE(ends.server->send("last words"));
    ends.server->close(4001, "mismatch");
    EXPECT_FALSE(ends.server->send("too late"));
    TaskGroup tasks(executor, Log::discard());
    tasks.spawn("writer", ends.server->write_loop());
    EXPECT_EQ((co_await read_message(*ends.client)).value_or(""), "last words");
    EXPECT_FALSE(co_await read_message(*ends.client));
    EXPECT_EQ(ends.client->reason().code, 4001);
    EXPECT_EQ(std::string(ends.client->reason().reason.c_str()), "mismatch");
    co_await tasks.close();
  });
}

TEST(WebSocketTest, AClosingPeerThatDoesNotAnswerIsCut) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    Ends ends = co_await connected(executor, {.close_timeout = 20ms});
    ends.server->close(1000, std::string(500, 'x'));
    co_await ends.server->write_loop();  // returns although the client never reads
    EXPECT_FALSE(co_await ends.server->read());
  });
}

TEST(WebSocketTest, OversizeAndTextMessagesEndTheConnection) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    Ends large = co_await connected(executor, {.max_message_bytes = 100});
    co_await write_message(*large.client, std::string(100, 'x'));
    EXPECT_TRUE(co_await large.server->read());
    co_await write_message(*large.client, std::string(101, 'x'));
    // Beast tells the peer why and waits for it to go: one that does not is the business of the caller's deadline.
    auto both = co_await (large.server->read() && read_message(*large.client));
    EXPECT_FALSE(std::get<0>(both));
    EXPECT_EQ(large.client->reason().code, boost::beast::websocket::close_code::too_big);
    Ends text = co_await connected(executor);
    text.client->text(true);
    co_await write_message(*text.client, "words");
    const auto message = co_await text.server->read();
    EXPECT_EQ(message.error().message, "a text message came where only binary ones are allowed");
  });
}

TEST(WebSocketTest, TheSendQueueIsBounded) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    Ends ends = co_await connected(executor, {.max_control_bytes = 10});
    EXPECT_TRUE(ends.server->send("123456"));
    EXPECT_EQ(ends.server->send("123456").error().code, Code::kOverloaded);
    EXPECT_TRUE(ends.server->send("1234"));
  });
}

TEST(WebSocketTest, APeerThatDoesNotReadIsSeen) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    Ends ends = co_await connected(executor);
    ends.server->set_bulk_source([] { return std::optional(std::string(256 * 1024, 'x')); });
    TaskGroup tasks(executor, Log::discard());
    tasks.spawn("writer", ends.server->write_loop());
    asio::steady_timer timer(executor);
    for (const TimePoint end = Clock::now() + 10s;
         !ends.server->is_stalled(Clock::now() + 21s) && Clock::now() < end;) {
      timer.expires_after(1ms);
      co_await wait(timer);
    }
    EXPECT_TRUE(ends.server->is_stalled(Clock::now() + 21s));
    EXPECT_FALSE(ends.server->is_stalled(Clock::now()));
    ends.server->abort();
    co_await tasks.close();
  });
}

TEST(WebSocketTest, ReadAndHandshakeObeyADeadline) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    Ends ends = co_await connected(executor);
    const auto message = co_await with_deadline(Clock::now() + 5ms, "the hello", ends.server->read());
    EXPECT_EQ(message.error().code, Code::kDeadlineExceeded);
  });
}

TEST(WebSocketTest, CancellationEndsReaderAndWriter) {
  run_on_lane([](asio::any_io_executor executor) -> asio::awaitable<void> {
    Ends ends = co_await connected(executor);
    TaskGroup tasks(executor, Log::discard());
    tasks.spawn("writer", ends.server->write_loop());
    asio::steady_timer timer(executor, 1ms);
    co_await wait(timer);
    co_await tasks.close();
    EXPECT_EQ(tasks.size(), 0U);
  });
}

}  // namespace
}  // namespace shoal::net
