#include "server/api/grpc/server.hpp"

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <pthread.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <limits>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "server/api/grpc/admin.hpp"
#include "server/api/grpc/call.hpp"
#include "server/api/grpc/health.hpp"
#include "server/api/grpc/run_all.hpp"
#include "server/api/grpc/service.hpp"

namespace shoal::api::grpc {
namespace {

namespace asio = boost::asio;
// A message is its tensors and their names; the tensors alone may have the size of the limit.
constexpr std::size_t kMessageOverhead = std::size_t{1} << 20;
// So many calls that come at once are taken without a word in between.
constexpr int kWaitingCalls = 32;

std::chrono::system_clock::time_point on_system_clock(TimePoint deadline) {
  if (deadline == kNoDeadline) {
    return std::chrono::system_clock::time_point::max();
  }
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline - Clock::now());
}

}  // namespace

struct Server::State {
  State(Services& services, ServerOptions server_options)
      : options(std::move(server_options)),
        calls{.services = services, .open = {}, .gate = options.gate},
        inference(calls, options.control),
        run_all(calls),
        health(calls),
        cutoff(services.main) {
    inference.add_to(source.methods);
    run_all.add_to(source.methods);
    health.add_to(source.methods);
    if (options.admin != nullptr) {
      admin.emplace(calls, *options.admin);
      admin->add_to(source.methods);
    }
  }

  // Requires: the server is shut down or was never started.
  void end_queue() {
    source.queue->Shutdown();
    if (reader.joinable()) {
      reader.join();
    } else {
      Call::run(*source.queue);
    }
  }

  ServerOptions options;
  Calls calls;
  InferenceService inference;
  RunAllService run_all;
  HealthService health;
  std::optional<AdminCalls> admin;
  asio::steady_timer cutoff;
  CallSource source{{"/inference.GRPCInferenceService/ModelInfer"}};
  std::unique_ptr<::grpc::Server> server;
  std::thread reader;    // of the queue
  std::thread shutdown;  // gRPC's Shutdown blocks, and what it waits for needs the lane
  bool is_down = false;
  int port = 0;
  int tls_port = 0;
  std::vector<std::function<void()>> on_drained;
};

Server::Server(Services& services, ServerOptions options)
    : state_(std::make_unique<State>(services, std::move(options))) {}

Server::~Server() {
  if (state_->shutdown.joinable()) {
    state_->shutdown.join();
  }
}

Status Server::start() {
  const Limits& limits = state_->calls.services.limits;
  const std::string address = fmt::format("{}:{}", state_->options.address, state_->options.port);
  ::grpc::ServerBuilder builder;
  builder.AddListeningPort(address, ::grpc::InsecureServerCredentials(), &state_->port);
  if (const auto& tls = state_->options.tls) {
    ::grpc::SslServerCredentialsOptions options(tls->client_authority.empty()
                                                    ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                    : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_key_cert_pairs.push_back({tls->key, tls->chain});
    options.pem_root_certs = tls->client_authority;
    builder.AddListeningPort(fmt::format("{}:{}", tls->address, tls->port), ::grpc::SslServerCredentials(options),
                             &state_->tls_port);
  }
  // Debian's library looks for deadlocks at every lock, a debugging aid that takes a tenth of a call's time.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  builder.RegisterService(&state_->source.registered);
  builder.RegisterAsyncGenericService(&state_->source.generic);
  state_->source.queue = builder.AddCompletionQueue();
  const std::size_t message_bytes =
      std::min<std::size_t>(limits.infer_body_bytes + kMessageOverhead, std::numeric_limits<int>::max());
  builder.SetMaxReceiveMessageSize(static_cast<int>(message_bytes));
  builder.SetMaxSendMessageSize(std::numeric_limits<int>::max());
  builder.SetResourceQuota(::grpc::ResourceQuota("shoal").Resize(limits.held_bytes));
  // Nobody can ask for what it would note of each call.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 0);
  // Without this a second server on the port would be given half of the connections instead of an error.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(limits.connections));
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, static_cast<int>(limits.header_bytes));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  state_->server = builder.BuildAndStart();
  const bool is_bound = state_->port != 0 && (!state_->options.tls || state_->tls_port != 0);
  if (state_->server == nullptr || !is_bound) {
    if (state_->server != nullptr) {
      state_->server->Shutdown();
    }
    state_->end_queue();
    state_->server.reset();
    if (state_->port != 0 && state_->options.tls) {
      return fail(Code::kUnavailable, fmt::format("cannot listen on {} port {} for gRPC by TLS",
                                                  state_->options.tls->address, state_->options.tls->port));
    }
    return fail(Code::kUnavailable,
                fmt::format("cannot listen on {} port {} for gRPC", state_->options.address, state_->options.port));
  }
  for (int count = 0; count < kWaitingCalls; ++count) {
    Call::wait_for_any(state_->source);
    Call::wait_for(state_->source, 0);
  }
  state_->reader = std::thread([queue = state_->source.queue.get()] {
    pthread_setname_np(pthread_self(), "grpc");
    Call::run(*queue);
  });
  return {};
}

std::uint16_t Server::tls_port() const { return static_cast<std::uint16_t>(state_->tls_port); }

std::uint16_t Server::port() const { return static_cast<std::uint16_t>(state_->port); }

void Server::drain(TimePoint deadline, std::function<void()> done) {
  State& state = *state_;
  const asio::any_io_executor main = state.calls.services.main;
  if (state.server == nullptr || state.is_down) {
    asio::post(main, std::move(done));
    return;
  }
  state.on_drained.push_back(std::move(done));
  state.calls.drain();
  if (deadline != kNoDeadline) {
    state.cutoff.expires_at(deadline);
    state.cutoff.async_wait([&state](const boost::system::error_code& error) {
      if (!error) {
        state.calls.cut();
      }
    });
  }
  if (state.shutdown.joinable()) {
    return;
  }
  state.shutdown = std::thread([&state, main, until = on_system_clock(deadline)] {
    state.server->Shutdown(until);
    state.source.wait_until_no_call();
    state.end_queue();
    asio::post(main, [&state] {
      state.is_down = true;
      state.cutoff.cancel();
      for (auto& drained : std::exchange(state.on_drained, {})) {
        drained();
      }
    });
  });
}

}  // namespace shoal::api::grpc
