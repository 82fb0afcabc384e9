#include "server/app/join_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <utility>
#include <vector>

#include "server/app/admin_client.hpp"
#include "server/app/tables.hpp"
#include "server/core/percent_encoded.hpp"

namespace shoal::app {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kTokens = "/admin/v1/join/tokens";

}  // namespace

struct JoinCommands::State {
  CLI::App* join = nullptr;
  CLI::App* create = nullptr;
  CLI::App* revoke = nullptr;
  std::function<Result<std::string>()> default_server;
  std::string server, id, name;
  std::string tier = "untrusted";
  std::vector<std::string> backends;
  bool json = false;
  bool is_long_lived = false;
  double hours = 0;
  std::uint32_t max_devices = 0;
  std::uint64_t max_runs = 0;

  [[nodiscard]] ordered_json request() const {
    return {{"name", name},
            {"long_lived", is_long_lived},
            {"tier", tier},
            {"backends", backends},
            {"expires_seconds", static_cast<std::uint64_t>(hours * 3600)},
            {"max_devices", max_devices},
            {"max_runs", max_runs}};
  }
};

JoinCommands::JoinCommands(CLI::App& command, std::function<Result<std::string>()> default_server)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.default_server = std::move(default_server);
  state.join = command.add_subcommand("join", "The tokens that let devices join a running server");
  state.join->require_subcommand(0, 1);
  state.join->add_option("--server", state.server, "http://HOST:PORT of the server; default: as configured");
  state.join->add_flag("--json", state.json, "The server's own document instead of text");
  state.create = state.join->add_subcommand("create", "Print a URL that lets a device join")->fallthrough();
  state.create->add_option("name", state.name, "For people: whose device it is")->required();
  state.create->add_flag("--long-lived", state.is_long_lived, "For several devices, not only the first that opens it");
  state.create->add_option("--tier", state.tier, "trusted: it sees every request. untrusted: those that allow it")
      ->check(CLI::IsMember({"trusted", "untrusted"}));
  state.create->add_option("--backends", state.backends, "Those its devices may offer; default: all")
      ->delimiter('+')
      ->check(CLI::IsMember({"wasm", "webgpu", "webnn"}));
  state.create->add_option("--hours", state.hours, "Until it expires; default: 1, of a long-lived one 720")
      ->check(CLI::Range(0.0003, 8784.0));
  state.create->add_option("--max-devices", state.max_devices, "Connected at once; default: 1, of a long-lived one 8");
  state.create->add_option("--max-runs", state.max_runs, "Of all its devices together; default: no bound");
  state.join->add_subcommand("list", "All of them, one line each (the default)")->fallthrough();
  state.revoke = state.join->add_subcommand("revoke", "Disconnect its devices and let nobody in by it")->fallthrough();
  state.revoke->add_option("id", state.id, "The first column of the list")->required();
}

JoinCommands::~JoinCommands() = default;

bool JoinCommands::was_asked() const { return state_->join->parsed(); }

Status JoinCommands::run() {
  const State& state = *state_;
  const auto client = AdminClient::to_chosen(state.server, state.default_server);
  if (!client) {
    return fail(client.error());
  }
  const auto document = *state.create   ? client->post(std::string(kTokens), state.request())
                        : *state.revoke ? client->remove(fmt::format("{}/{}", kTokens, percent_encoded(state.id)))
                                        : client->get(std::string(kTokens));
  if (!document) {
    return fail(document.error());
  }
  fmt::print("{}", state.json      ? document->dump(2) + "\n"
                   : *state.create ? document->value("url", "") + "\n"
                   : *state.revoke ? fmt::format("{} is {}\n", state.id, document->value("state", ""))
                                   : tokens_text(*document));
  return {};
}

}  // namespace shoal::app
