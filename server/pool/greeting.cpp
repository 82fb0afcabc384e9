#include "server/pool/greeting.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <cmath>
#include <string_view>
#include <utility>

#include "server/wire/agent_messages.hpp"

namespace shoal::pool {

using boost::asio::experimental::awaitable_operators::operator&&;

agent::v1::Envelope welcome(const std::string& slot, const PoolConfig& config) {
  agent::v1::Envelope envelope;
  agent::v1::Welcome& message = *envelope.mutable_welcome();
  message.set_worker_id(slot);
  const auto interval = std::chrono::duration_cast<std::chrono::milliseconds>(config.heartbeat_interval);
  message.set_heartbeat_ms(static_cast<std::uint32_t>(interval.count()));
  return envelope;
}

namespace {

schedule::Traits traits_of(const agent::v1::Hello& hello, std::string_view adapter) {
  schedule::Traits traits{
      .browser = schedule::browser_engine_of(hello.user_agent()), .has_hardware = adapter == "hardware", .gflops = {}};
  for (const agent::v1::Benchmark& benchmark : hello.capabilities().benchmarks()) {
    const auto backend = backend_from(benchmark.backend());
    if (backend && std::isfinite(benchmark.gflops()) && benchmark.gflops() > 0) {
      traits.gflops[*backend] = benchmark.gflops();
    }
  }
  return traits;
}

}  // namespace

WorkerState worker_state(const std::string& slot, std::span<const Backend> allowed, const agent::v1::Hello& hello) {
  wire::BackendProbe probe = wire::probe_backends(hello.capabilities(), allowed);
  schedule::Traits traits = traits_of(hello, probe.adapter);
  return {.slot = slot,
          .backends = std::move(probe.usable),
          .why_not = std::move(probe.why_not),
          .adapter = std::move(probe.adapter),
          .browser = std::string(wire::cut_text(hello.user_agent(), 512)),
          .traits = std::move(traits)};
}

boost::asio::awaitable<SessionEnd> converse(AgentSession& session, net::WebSocket& socket) {
  SessionEnd end{.reason = "the server stops", .thrown = nullptr};
  try {
    end.reason = co_await (session.serve() && socket.write_loop());
  } catch (...) {
    end.thrown = std::current_exception();
  }
  co_return end;
}

boost::asio::awaitable<void> converse_with_engine(AgentSession& session, net::WebSocket& socket, std::string backend) {
  co_await (session.serve_engine(socket, std::move(backend)) && socket.write_loop());
}

}  // namespace shoal::pool
