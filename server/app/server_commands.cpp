#include "server/app/server_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <utility>

#include "server/app/admin_client.hpp"
#include "server/app/tables.hpp"
#include "server/config/value.hpp"

namespace shoal::app {

struct ServerCommands::State {
  CLI::App* reload = nullptr;
  CLI::App* drain = nullptr;
  CLI::App* resume = nullptr;
  std::function<Result<std::string>()> default_server;
  std::string server, reason, grace;
  bool json = false;

  // The body of a drain.
  [[nodiscard]] Result<nlohmann::json> request() const {
    nlohmann::json body = {{"reason", reason}};
    if (!grace.empty()) {
      const auto duration = config::parse_duration(grace);
      if (!duration) {
        return fail(Code::kInvalidArgument, "--grace: " + duration.error().message, "grace");
      }
      body["grace_ms"] = duration->count();
    }
    return body;
  }
};

ServerCommands::ServerCommands(CLI::App& command, std::function<Result<std::string>()> default_server)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.default_server = std::move(default_server);
  state.reload = command.add_subcommand("reload", "Have a running server read its shoal.yaml again");
  state.drain = command.add_subcommand("drain", "Have a running server finish what it has and take nothing more");
  state.drain->add_option("--reason", state.reason, "What readiness and the log say");
  state.drain->add_option("--grace", state.grace,
                          "Time for which requests are still taken, such as 10s; default: server.drain_grace");
  state.resume = command.add_subcommand("resume", "Have a drained server take requests again");
  for (CLI::App* one : {state.reload, state.drain, state.resume}) {
    one->add_option("--server", state.server, "http://HOST:PORT of the server; default: as configured");
    one->add_flag("--json", state.json, "The server's own document instead of text");
  }
}

ServerCommands::~ServerCommands() = default;

bool ServerCommands::was_asked() const {
  return state_->reload->parsed() || state_->drain->parsed() || state_->resume->parsed();
}

Status ServerCommands::run() {
  const State& state = *state_;
  const auto body = state.drain->parsed() ? state.request() : Result<nlohmann::json>(nlohmann::json::object());
  if (!body) {
    return fail(body.error());
  }
  const auto client = AdminClient::to_chosen(state.server, state.default_server);
  if (!client) {
    return fail(client.error());
  }
  const bool is_reload = state.reload->parsed();
  const auto document = client->post(is_reload               ? "/admin/v1/reload"
                                     : state.drain->parsed() ? "/admin/v1/drain"
                                                             : "/admin/v1/resume",
                                     *body);
  if (!document) {
    return fail(document.error());
  }
  fmt::print("{}", state.json ? document->dump(2) + "\n" : is_reload ? reload_text(*document) : server_text(*document));
  return {};
}

}  // namespace shoal::app
