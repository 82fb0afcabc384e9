#include "server/net/timed_stream.hpp"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <optional>

namespace shoal::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

struct TimedStreamTest : testing::Test {
  asio::io_context context;
  tcp::socket peer{context};
  std::optional<TimedStream> stream;
  std::array<char, 8> bytes{};

  TimedStreamTest() {
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    peer.connect(acceptor.local_endpoint());
    stream.emplace(acceptor.accept());
  }

  // Runs `task` to its end; the seconds that it took.
  template <class Task>
  double run(Task task) {
    const TimePoint began = Clock::now();
    asio::co_spawn(context, std::move(task), [](const std::exception_ptr& error) { ASSERT_EQ(error, nullptr); });
    context.restart();
    context.run();
    return std::chrono::duration<double>(Clock::now() - began).count();
  }

  asio::awaitable<boost::system::error_code> read() {
    const auto [error, count] = co_await stream->async_read_some(asio::buffer(bytes), kNoThrow);
    co_return error;
  }
};

TEST_F(TimedStreamTest, AReadThatTakesTooLongFailsAndTheSocketIsClosed) {
  const double seconds = run([this]() -> asio::awaitable<void> {
    stream->expires_after(50ms);
    EXPECT_EQ(co_await read(), asio::error::operation_aborted);
    EXPECT_TRUE(stream->has_expired());
    EXPECT_FALSE(stream->socket().is_open());
    EXPECT_EQ(co_await read(), asio::error::bad_descriptor);
  });
  EXPECT_GE(seconds, 0.05);
}

TEST_F(TimedStreamTest, ALaterDeadlineHolds) {
  const double seconds = run([this]() -> asio::awaitable<void> {
    stream->expires_after(20ms);
    stream->expires_after(120ms);
    EXPECT_EQ(co_await read(), asio::error::operation_aborted);
  });
  EXPECT_GE(seconds, 0.12);
}

TEST_F(TimedStreamTest, AnEarlierDeadlineHolds) {
  const double seconds = run([this]() -> asio::awaitable<void> {
    stream->expires_after(1h);
    stream->expires_after(20ms);
    EXPECT_EQ(co_await read(), asio::error::operation_aborted);
  });
  EXPECT_LT(seconds, 60);
}

TEST_F(TimedStreamTest, WithoutADeadlineItStaysOpenPastAnOldOne) {
  run([this]() -> asio::awaitable<void> {
    stream->expires_after(10ms);
    stream->expires_never();
    asio::steady_timer later(context, 50ms);
    co_await later.async_wait(kNoThrow);
    EXPECT_TRUE(stream->socket().is_open());
    // And the timer, which has gone off meanwhile, is set again.
    stream->expires_after(10ms);
    EXPECT_EQ(co_await read(), asio::error::operation_aborted);
  });
}

TEST_F(TimedStreamTest, WhatArrivesInTimeIsRead) {
  run([this]() -> asio::awaitable<void> {
    stream->expires_after(1h);
    co_await asio::async_write(peer, asio::buffer("1234", 4), asio::use_awaitable);
    EXPECT_FALSE(co_await read());
    EXPECT_EQ(std::string(bytes.data(), 4), "1234");
    co_await asio::async_write(*stream, asio::buffer("5678", 4), asio::use_awaitable);
    co_await peer.async_read_some(asio::buffer(bytes), asio::use_awaitable);
    EXPECT_EQ(std::string(bytes.data(), 4), "5678");
    stream.reset();  // and no timer keeps the context busy
  });
}

TEST_F(TimedStreamTest, AReleasedSocketHasNoDeadline) {
  run([this]() -> asio::awaitable<void> {
    stream->expires_after(10ms);
    const tcp::socket socket = stream->release_socket();
    asio::steady_timer later(context, 50ms);
    co_await later.async_wait(kNoThrow);
    EXPECT_TRUE(socket.is_open());
    EXPECT_FALSE(stream->has_expired());
  });
}

}  // namespace
}  // namespace shoal::net
