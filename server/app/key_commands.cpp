#include "server/app/key_commands.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "server/app/tables.hpp"
#include "server/auth/key_file.hpp"
#include "server/core/ids.hpp"

namespace shoal::app {
namespace {

constexpr std::size_t kIdBytes = 4;
constexpr std::size_t kSecretBytes = 24;

std::string joined(const std::vector<auth::Scope>& scopes) {
  std::string text;
  for (const auth::Scope scope : scopes) {
    text += (text.empty() ? "" : ",") + std::string(auth::scope_name(scope));
  }
  return text;
}

std::string keys_text(const auth::KeyBook& book, WallTime now) {
  std::vector<std::vector<std::string>> rows = {{"KEY", "NAME", "STATE", "SCOPES", "EXPIRES", "RATE"}};
  for (const auth::Key& key : book.keys()) {
    const std::string expires =
        key.expires ? fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(
                                                               std::chrono::system_clock::time_point(*key.expires))))
                    : "never";
    const double rate = key.spec.requests_per_second;
    const double burst = key.spec.burst;
    rows.push_back({key.id, key.spec.name, std::string(auth::key_state(key, now)), joined(key.spec.scopes), expires,
                    rate > 0 ? fmt::format("{}/s{}", rate, burst > 0 ? fmt::format(", {} at once", burst) : "") : "-"});
  }
  return table(rows);
}

}  // namespace

struct KeyCommands::State {
  std::function<Result<std::filesystem::path>()> file;
  CLI::App* keys = nullptr;
  CLI::App* create = nullptr;
  CLI::App* revoke = nullptr;
  std::string name, id;
  std::vector<std::string> scopes = {"infer"};
  double hours = 0;
  double rate = 0;
  double burst = 0;

  // Its secret.
  Result<std::string> make(auth::KeyBook& book) const;
};

KeyCommands::KeyCommands(CLI::App& command, std::function<Result<std::filesystem::path>()> file)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.file = std::move(file);
  state.keys = command.add_subcommand("keys", "The API keys that servers with auth.enabled ask for");
  state.keys->require_subcommand(0, 1);
  state.create = state.keys->add_subcommand("create", "Print a new key, once");
  state.create->add_option("name", state.name, "For people: who has it")->required();
  state.create->add_option("--scopes", state.scopes, "What it may do: infer (default), admin, metrics, join")
      ->delimiter(',');
  state.create->add_option("--hours", state.hours, "Until it expires; default: never")
      ->check(CLI::Range(0.0003, 87840.0));
  state.create->add_option("--rate", state.rate, "Requests per second; default: no bound");
  state.create->add_option("--burst", state.burst, "Requests at once after a pause; default: those of one second");
  state.keys->add_subcommand("list", "All of them, one line each (the default)");
  state.revoke = state.keys->add_subcommand("revoke", "Nobody may use it any more; servers notice within a second");
  state.revoke->add_option("id", state.id, "The first column of the list")->required();
}

KeyCommands::~KeyCommands() = default;

bool KeyCommands::was_asked() const { return state_->keys->parsed(); }

Result<std::string> KeyCommands::State::make(auth::KeyBook& book) const {
  auth::KeySpec spec{.name = name, .scopes = {}, .lifetime = {}, .requests_per_second = rate, .burst = burst};
  for (const std::string& text : scopes) {
    const auto scope = auth::scope_from(text);
    if (!scope) {
      return fail(Code::kInvalidArgument, fmt::format("--scopes: expected {}, got '{}'", auth::kScopeNames, text),
                  "--scopes");
    }
    spec.scopes.push_back(*scope);
  }
  if (hours > 0) {
    spec.lifetime = std::chrono::seconds(static_cast<std::int64_t>(hours * 3600 + 0.5));
  }
  std::string secret = "shoal-" + random_hex(kSecretBytes);
  if (const auto made = book.create(std::move(spec), random_hex(kIdBytes), secret, wall_now()); !made) {
    return fail(made.error());
  }
  return secret;
}

Status KeyCommands::run() {
  const State& state = *state_;
  const auto file = state.file();
  if (!file) {
    return fail(file.error());
  }
  auto book = auth::load(*file);
  if (!book) {
    return fail(std::move(book.error()));
  }
  if (state.revoke->parsed()) {
    if (const auto revoked = book->revoke(state.id, wall_now()); !revoked) {
      return fail(revoked.error());
    }
    fmt::print("{} is revoked\n", state.id);
    return auth::save(*book, *file);
  }
  if (!state.create->parsed()) {
    fmt::print("{}", keys_text(*book, wall_now()));
    return {};
  }
  const auto secret = state.make(*book);
  if (!secret) {
    return fail(secret.error());
  }
  Status saved = auth::save(*book, *file);
  if (saved) {
    fmt::print("{}\n", *secret);
  }
  return saved;
}

}  // namespace shoal::app
