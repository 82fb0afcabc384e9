#include "server/app/models_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "server/app/admin_client.hpp"
#include "server/app/tables.hpp"
#include "server/models/package_version.hpp"
#include "server/models/repository.hpp"

namespace shoal::app {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const models::ModelVersion& model, const std::filesystem::path& folder) {
  Json out = {{"name", model.name},
              {"version", model.version},
              {"state", model.is_ready() ? "READY" : "UNAVAILABLE"},
              {"reason", model.load_error.message}};
  const auto description = models::is_package(folder) ? models::read_description(folder)
                                                      : Result<package::Description>(fail(Code::kNotFound, ""));
  if (description) {
    out["class"] = package::class_name(description->model_class);
    for (const package::Variant& variant : description->variants) {
      out["variants"].push_back({{"name", variant.name},
                                 {"bits", variant.bits},
                                 {"bytes", variant.weight_bytes + variant.plan.bytes},
                                 {"default", variant.name == description->default_variant}});
    }
    return out;
  }
  std::uint64_t bytes = 0;
  for (const models::Blob& blob : models::blobs_of(model)) {
    bytes += blob.size;
  }
  out["class"] = model.echo ? "echo" : "onnx";
  out["bytes"] = bytes;
  return out;
}

// Every version below the root, whatever the version policies are.
Result<Json> read_repository(const std::string& root, const std::string& store) {
  models::Repository repository({.root = root, .store = store, .has_echo = true}, Log::discard());
  const auto names = repository.names();
  if (!names) {
    return fail(names.error());
  }
  Json out = Json::array();
  for (const std::string& name : *names) {
    const auto versions = repository.read(name);
    if (!versions) {
      return fail(versions.error());
    }
    for (const models::ModelPtr& model : *versions) {
      out.push_back(json_of(*model, std::filesystem::path(root) / name / std::to_string(model->version)));
    }
  }
  repository.save_digests();
  return out;
}

std::string text_of(const Json& listed) {
  std::vector<std::vector<std::string>> rows = {{"MODEL", "VERSION", "CLASS", "VARIANT", "BITS", "SIZE", "STATE"}};
  for (const Json& one : listed) {
    const std::string state =
        one.value("state", "") + (one.value("reason", "").empty() ? "" : ": ") + one.value("reason", "");
    const Json& version = one.contains("version") ? one["version"] : Json();
    const std::string number = version.is_string() ? version.get<std::string>() : version.dump();
    if (!one.contains("variants")) {
      rows.push_back({one.value("name", ""), number, one.value("class", ""), "", "",
                      one.contains("bytes") ? bytes_text(one["bytes"].get<std::uint64_t>()) : "", state});
      continue;
    }
    for (const Json& variant : one["variants"]) {
      const bool is_default = variant["default"].get<bool>();
      rows.push_back({one.value("name", ""), number, one.value("class", ""),
                      variant["name"].get<std::string>() + (is_default ? " *" : ""), variant["bits"].dump(),
                      bytes_text(variant["bytes"].get<std::uint64_t>()), is_default ? state : ""});
    }
  }
  return table(rows);
}

}  // namespace

struct ModelsCommand::State {
  CLI::App* command = nullptr;
  std::string home, repository, server;
  bool as_json = false;
};

ModelsCommand::ModelsCommand(CLI::App& command, std::string home) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.home = std::move(home);
  s.repository = s.home + "/models";
  s.command = command.add_subcommand("models", "List the models of the repository, each version with its variants");
  CLI::Option* repository =
      s.command->add_option("--repository", s.repository, "Model repository; default $SHOAL_HOME/models");
  s.command->add_option("--server", s.server, "http://HOST:PORT: what a running server says of its models")
      ->excludes(repository);
  s.command->add_flag("--json", s.as_json, "A document for programs");
}

ModelsCommand::~ModelsCommand() = default;

bool ModelsCommand::was_asked() const { return state_->command->parsed(); }

Status ModelsCommand::run() {
  const State& s = *state_;
  Result<Json> listed = Json::array();
  if (s.server.empty()) {
    listed = read_repository(s.repository, s.home + "/store");
  } else {
    const auto client = AdminClient::to_chosen(s.server, [] { return std::string(); });
    if (!client) {
      return fail(client.error());
    }
    listed = client->post("/v2/repository/index", nlohmann::json::object());
  }
  if (!listed) {
    return fail(std::move(listed.error()));
  }
  fmt::print("{}", s.as_json ? listed->dump(2) + "\n" : text_of(*listed));
  return {};
}

}  // namespace shoal::app
