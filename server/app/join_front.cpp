#include "server/app/join_front.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "server/api/http/routes.hpp"
#include "server/app/tls_files.hpp"
#include "server/app/tls_http.hpp"

namespace shoal::app {
namespace {

namespace asio = boost::asio;
namespace http = api::http;

constexpr std::string_view kScheme = "https://";

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
  std::optional<TlsHttp> server;
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
  const auto files = certificate_of(settings);
  if (!files) {
    return fail(files.error());
  }
  http::Router router;
  http::add_join_routes(router, state_->services, state_->agent);
  http::add_agent_files(router, state_->services, state_->agent);
  if (!files->authority.empty()) {
    router.add("GET", "/join/ca.pem",
               {.handler = [file = files->authority](http::Exchange&) { return authority(file); },
                .body_limit = state_->services.limits.control_body_bytes,
                .errors = http::ErrorStyle::kKserve,
                .guarded = true,
                .scope = auth::Scope::kPublic});
  }
  state_->server.emplace(state_->services.main, state_->services.cpu, std::move(router), state_->options,
                         net::TlsOptions{.address = settings.join_bind,
                                         .port = settings.join_port,
                                         .chain = files->chain,
                                         .key = files->key,
                                         .client_authority = {},
                                         .limits = {}},
                         state_->services.log);
  return state_->server->listen();
}

std::uint16_t JoinFront::port() const { return state_->server->port(); }

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
  state_->server->drain(deadline, std::move(done));
}

}  // namespace shoal::app
