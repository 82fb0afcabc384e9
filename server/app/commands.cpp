#include "server/app/commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <initializer_list>
#include <optional>

#include "server/app/app.hpp"
#include "server/app/doctor.hpp"
#include "server/app/estimate_command.hpp"
#include "server/app/heap.hpp"
#include "server/app/import_command.hpp"
#include "server/app/join_commands.hpp"
#include "server/app/key_commands.hpp"
#include "server/app/models_command.hpp"
#include "server/app/run_command.hpp"
#include "server/app/server_commands.hpp"
#include "server/app/settings_source.hpp"
#include "server/app/worker_commands.hpp"

namespace shoal::app {
namespace {

constexpr int kUsage = 2;

int report(const Error& error, int status) {
  fmt::print(stderr, "shoal: {}\n", error.message);
  return status;
}

std::string home() {
  const char* value = std::getenv("SHOAL_HOME");
  return value != nullptr && *value != '\0' ? value : ".shoal";
}

int serve(Settings& settings, const config::Schema& schema, const std::string& file,
          std::vector<std::pair<std::string, std::string>> flags) {
  SettingsSource source(file, std::move(flags));
  Status status = source.read(schema);
  if (status) {
    status = check(settings);
  }
  if (!status) {
    return report(status.error(), kUsage);
  }
  const Log::Format format = settings.log_format == "json" ? Log::Format::kJson : Log::Format::kText;
  Heap::set_up();
  return App(settings, std::move(source), Log::to_stderr(*log_level_from(settings.log_level), format)).run();
}

// Where a server with this configuration listens.
Result<std::string> configured_server(const Settings& settings, const config::Schema& schema) {
  if (Status status = SettingsSource({}, {}).read(schema); !status) {
    return fail(std::move(status.error()));
  }
  const bool is_any = settings.host == "0.0.0.0" || settings.host == "::";
  return fmt::format("http://{}:{}", is_any ? "127.0.0.1" : settings.host, settings.http_port);
}

enum class DoctorForm : std::uint8_t { kText, kJson, kMarkdown };

int doctor(const Settings& settings, const config::Schema& schema, const std::string& file, const std::string& kind,
           DoctorForm form) {
  if (const Status status = SettingsSource(file, {}).read(schema); !status) {
    return report(status.error(), kUsage);
  }
  const auto found = examine(settings, kind);
  if (!found) {
    return report(found.error(), found.error().code == Code::kInvalidArgument ? kUsage : 1);
  }
  fmt::print("{}", form == DoctorForm::kJson       ? to_json(*found).dump(2) + "\n"
                   : form == DoctorForm::kMarkdown ? to_markdown(*found)
                                                   : to_text(*found));
  return found->is_well() ? 0 : 1;
}

}  // namespace

int run_command(int argc, char** argv) {
  CLI::App command("Shoal: an inference server whose workers are web browsers", "shoal");
  command.set_version_flag("--version", SHOAL_VERSION);
  command.require_subcommand(1);

  Settings settings;
  settings.home = home();
  const config::Schema schema = schema_of(settings);

  CLI::App* serve_command = command.add_subcommand("serve", "Run the server and its browsers");
  std::string file;
  serve_command->add_option("--config", file,
                            "Configuration file; default ./shoal.yaml where it exists (SHOAL_CONFIG)");
  std::vector<std::pair<std::string, std::string>> flags;
  for (const config::Setting& setting : schema.settings()) {
    serve_command
        ->add_option_function<std::string>(
            config::flag_of(setting),
            [&flags, &setting](const std::string& text) { flags.emplace_back(setting.name, text); },
            fmt::format("{} ({}) [{}] env {}", setting.help, setting.allowed, setting.fallback,
                        config::environment_of(setting)))
        ->group(setting.name.substr(0, setting.name.find('.')))
        ->take_last();
  }

  CLI::App* doctor_command = command.add_subcommand(
      "doctor", "Launch each kind of browser once, and say what works, what is missing and how to get it");
  std::string kind;
  bool as_json = false;
  bool as_markdown = false;
  doctor_command->add_option("--kind", kind, "Only this one");
  doctor_command->add_option("--config", file, "Configuration file, as of serve");
  doctor_command->add_flag("--json", as_json, "A document for programs")
      ->excludes(doctor_command->add_flag("--markdown", as_markdown, "The page docs/capabilities.md"));

  WorkerCommands workers(command, [&] { return configured_server(settings, schema); });
  JoinCommands join(command, [&] { return configured_server(settings, schema); });
  ServerCommands server(command, [&] { return configured_server(settings, schema); });

  KeyCommands keys(command, [&]() -> Result<std::filesystem::path> {
    if (Status status = SettingsSource({}, {}).read(schema); !status) {
      return fail(std::move(status.error()));
    }
    return keys_file(settings);
  });

  ImportCommand import(command, home());
  EstimateCommand estimate(command, home());
  ModelsCommand list(command, home());
  RunCommand run(command, home(), [&]() -> Result<Settings> {
    const Status status = SettingsSource({}, {}).read(schema);
    return status ? Result<Settings>(settings) : fail(status.error());
  });

  CLI::App* settings_command = command.add_subcommand("settings", "Print every setting of serve as a Markdown table");

  try {
    command.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = command.exit(error);
    return status == 0 ? 0 : kUsage;
  }
  if (*serve_command) {
    return serve(settings, schema, file, std::move(flags));
  }
  if (*doctor_command) {
    return doctor(settings, schema, file, kind,
                  as_json       ? DoctorForm::kJson
                  : as_markdown ? DoctorForm::kMarkdown
                                : DoctorForm::kText);
  }
  for (CommandGroup* group :
       std::initializer_list<CommandGroup*>{&workers, &join, &server, &keys, &import, &estimate, &list, &run}) {
    if (group->was_asked()) {
      const Status status = group->run();
      return status ? 0 : report(status.error(), status.error().code == Code::kInvalidArgument ? kUsage : 1);
    }
  }
  if (*settings_command) {
    fmt::print("{}", config::reference(schema));
  }
  return 0;
}

}  // namespace shoal::app
