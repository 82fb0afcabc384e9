#include "server/app/join_front.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "server/api/http/routes.hpp"
#include "server/net/certificate.hpp"
#include "server/net/tls_front.hpp"

namespace shoal::app {
namespace {

namespace asio = boost::asio;
namespace http = api::http;

constexpr std::string_view kScheme = "https://";

// "example.org" of "https://example.org:8443", "::1" of "https://[::1]:8443".
std::string host_of(const std::string& url) {
  std::string host = url.substr(std::min(url.size(), kScheme.size()));
  if (host.starts_with('[')) {
    return host.substr(1, host.find(']') - 1);
  }
  return host.substr(0, host.find(':'));
}

std::vector<std::string> certificate_names(const std::string& public_url) {
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
  std::array<char, 256> machine{};
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";
  for (std::string name : {::gethostname(machine.data(), machine.size() - 1) == 0 ? std::string(machine.data()) : "",
                           host_of(public_url)}) {
    const bool is_plain = name.find(':') != std::string::npos || name.find_first_not_of(kPlain) == std::string::npos;
    if (!name.empty() && is_plain && std::ranges::count(names, name) == 0) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

asio::awaitable<http::Response> authority(std::filesystem::path file) {
  std::ifstream stream(file, std::ios::binary);
  http::Response response;
  response.content_type = "application/x-x509-ca-cert";
  response.body.assign(std::istreambuf_iterator<char>(stream), {});
  co_return response;
}

}  // namespace

struct JoinFront::State {
  State(const Settings& the_settings, api::Services& the_services, const std::filesystem::path& agent_dir)
      : settings(the_settings), services(the_services), agent(agent_dir) {}

  const Settings& settings;
  api::Services& services;
  std::filesystem::path agent;
  http::ServerOptions options;
  std::optional<http::Server> server;
  std::unique_ptr<net::TlsFront> tls;
};

JoinFront::JoinFront(const Settings& settings, api::Services& services, const std::filesystem::path& agent_dir,
                     http::Upgrade upgrade, metrics::Families& metrics)
    : state_(std::make_shared<State>(settings, services, agent_dir)) {
  state_->options.limits = services.limits;
  state_->options.upgrade = std::move(upgrade);
  state_->options.metrics = &metrics;
  if (!settings.join_url.empty()) {
    state_->options.public_hosts.push_back(settings.join_url.substr(kScheme.size()));
  }
}

JoinFront::~JoinFront() = default;

Status JoinFront::listen() {
  const Settings& settings = state_->settings;
  net::CertificateFiles files{.chain = settings.tls_certificate, .key = settings.tls_key, .authority = {}};
  if (settings.tls_certificate.empty()) {
    auto own = net::own_certificate(std::filesystem::path(settings.home) / "tls", certificate_names(settings.join_url),
                                    std::chrono::system_clock::now());
    if (!own) {
      return fail(std::move(own.error()));
    }
    files = *std::move(own);
  }
  http::Router router;
  http::add_join_routes(router, state_->services, state_->agent);
  http::add_agent_files(router, state_->services, state_->agent);
  if (!files.authority.empty()) {
    router.add("GET", "/join/ca.pem",
               {.handler = [file = files.authority](http::Exchange&) { return authority(file); },
                .body_limit = state_->services.limits.control_body_bytes,
                .errors = http::ErrorStyle::kKserve,
                .guarded = true});
  }
  state_->server.emplace(state_->services.main, state_->services.cpu, std::move(router), state_->options,
                         state_->services.log);
  const auto hand_over = [state = std::weak_ptr(state_), main = state_->services.main](int socket, std::string peer) {
    asio::post(main, [state, socket, peer = std::move(peer)]() mutable {
      if (const auto alive = state.lock(); alive != nullptr && alive->server) {
        alive->server->adopt(socket, std::move(peer));
      } else {
        ::close(socket);
      }
    });
  };
  state_->tls = std::make_unique<net::TlsFront>(net::TlsOptions{.address = settings.join_bind,
                                                                .port = settings.join_port,
                                                                .chain = files.chain,
                                                                .key = files.key,
                                                                .limits = {}},
                                                hand_over, state_->services.log);
  if (Status status = state_->tls->listen(); !status) {
    return status;
  }
  state_->server->serve_behind(port());
  return {};
}

std::uint16_t JoinFront::port() const { return state_->tls->port(); }

std::vector<std::string> JoinFront::origins() const {
  std::vector<std::string> origins;
  if (!state_->settings.join_url.empty()) {
    origins.push_back(state_->settings.join_url);
  }
  for (const std::string_view host : {"localhost", "127.0.0.1", "[::1]"}) {
    origins.push_back(fmt::format("{}{}:{}", kScheme, host, port()));
  }
  return origins;
}

void JoinFront::drain(TimePoint deadline, std::function<void()> done) {
  state_->server->drain(deadline, [state = state_, done = std::move(done)] {
    state->tls.reset();
    done();
  });
}

}  // namespace shoal::app
