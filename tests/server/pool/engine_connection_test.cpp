// The connections that engines have of their own, with an agent that tells by its compute time which one it answered
// on.
#include "tests/server/pool/pool_fixture.hpp"

namespace shoal::pool {
namespace {

constexpr std::uint64_t kByLink = 7;
constexpr std::uint64_t kByOwn = 8;

class EngineConnectionTest : public PoolTest {
 protected:
  EngineConnectionTest() { config.resume_grace = 5s; }

  // The instance is loaded, and the engine has its connection.
  asio::awaitable<void> attached() {
    co_await ready(1);
    bool is_loaded = false;
    listener.worker->load(
        {.instance = "own", .backend = Backend::kWasm, .graph = {}, .external = {}, .free_dimensions = {}, .echo = {}},
        [&](const Result<LoadOutcome>& outcome) { is_loaded = outcome.has_value(); });
    EXPECT_TRUE(co_await until([&] { return is_loaded; }));
    for (const TimePoint end = Clock::now() + kPatience; Clock::now() < end;) {
      if (co_await answer_of("abc") == kByOwn) {
        co_return;
      }
    }
    ADD_FAILURE() << "no run came on the engine's connection";
  }

  // The compute time of one run's answer, 0 for an error.
  asio::awaitable<std::uint64_t> answer_of(std::string bytes) {
    outcomes.clear();
    run("own", bytes);
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 1; }));
    if (outcomes.empty() || !outcomes[0]) {
      co_return 0;
    }
    EXPECT_EQ(outcomes[0]->outputs.at(0).data, bytes);
    co_return outcomes[0]->compute_us;
  }
};

TEST_F(EngineConnectionTest, AnIdleEngineGetsShortRunsThere) {
  with_pool([this]() -> asio::awaitable<void> {
    co_await attached();
    EXPECT_EQ(co_await answer_of(std::string(wire::kMaxChunkBytes, 'x')), kByOwn);
    EXPECT_EQ(co_await answer_of(std::string(wire::kMaxChunkBytes + 1, 'x')), kByLink);
    EXPECT_EQ(co_await answer_of(""), kByOwn);
    // What has to wait waits in the agent's queue.
    outcomes.clear();
    run("own", "first");
    run("own", "second");
    EXPECT_TRUE(co_await until([&] { return outcomes.size() == 2; }));
    std::map<std::string, std::uint64_t> ways;
    for (const auto& outcome : outcomes) {
      EXPECT_TRUE(outcome);
      ways[outcome->outputs.at(0).data] = outcome->compute_us;
    }
    EXPECT_EQ(ways, (std::map<std::string, std::uint64_t>{{"first", kByOwn}, {"second", kByLink}}));
    EXPECT_EQ(listener.lost_count, 0);
  });
}

TEST_F(EngineConnectionTest, WhatWasUnderWayWhenItBrokeIsGivenOutAgain) {
  with_pool([this]() -> asio::awaitable<void> {
    co_await attached();
    EXPECT_EQ(co_await answer_of("drop"), kByLink);
    EXPECT_EQ(co_await answer_of("abc"), kByLink);
    EXPECT_EQ(listener.lost_count, 0);
  });
}

TEST_F(EngineConnectionTest, ABreachThereEndsTheAgent) {
  with_pool([this]() -> asio::awaitable<void> {
    co_await attached();
    outcomes.clear();
    run("own", "breach");
    EXPECT_TRUE(co_await until([&] { return listener.lost_count == 1; }));
    EXPECT_EQ(only_error(), Code::kWorkerLost);
    co_await ready(2);
  });
}

TEST_F(EngineConnectionTest, WithoutAGraceThereIsNone) {
  config.resume_grace = 0ms;
  with_pool([this]() -> asio::awaitable<void> {
    co_await ready(1);
    const auto executor = co_await asio::this_coro::executor;
    for (const char* slot : {"chromium/0", "chromium/9", "device", ""}) {
      agent::v1::Envelope envelope;
      envelope.mutable_attach()->set_slot(slot);
      envelope.mutable_attach()->set_backend("wasm");
      Client client(executor);
      EXPECT_TRUE(co_await testing_support::connect(client, {asio::ip::address_v4::loopback(), port},
                                                    "http://127.0.0.1:" + std::to_string(port)));
      co_await testing_support::write_message(client, wire::encode_frame(envelope));
      EXPECT_FALSE(co_await testing_support::read_message(client));
      EXPECT_EQ(client.reason().code, kCloseRefused) << slot;
    }
    EXPECT_EQ(listener.lost_count, 0);
  });
}

}  // namespace
}  // namespace shoal::pool
