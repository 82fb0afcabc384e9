#include "server/app/import_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "server/app/import_package.hpp"
#include "server/app/import_report.hpp"
#include "server/app/precision_options.hpp"
#include "server/app/source_options.hpp"
#include "server/app/thread_pool.hpp"
#include "server/models/bert_graph.hpp"
#include "server/models/model.hpp"

namespace shoal::app {

struct ImportCommand::State {
  explicit State(const std::string& home) : repository(home + "/models"), places(home) {}

  CLI::App* command = nullptr;
  std::string source, name, into, version, variant;
  std::string repository;
  SourceOptions places;
  std::string format = "package";
  std::string method = "search";
  PrecisionOptions precision;
  bool is_default = false;
  bool as_json = false;
  std::uint32_t threads = std::max(1U, std::thread::hardware_concurrency());

  [[nodiscard]] Result<std::optional<std::int64_t>> asked_version() const;
  [[nodiscard]] Status write_onnx(const fetch::Fetched& from) const;
  [[nodiscard]] Status write_package(const fetch::Fetched& from) const;
};

Result<std::optional<std::int64_t>> ImportCommand::State::asked_version() const {
  const auto number = models::parse_version(version);
  return number ? number : fail(Code::kInvalidArgument, "--version: expected a number above 0", "version");
}

Status ImportCommand::State::write_onnx(const fetch::Fetched& from) const {
  if (!into.empty()) {
    return models::import_sentence_encoder(from.path, into);
  }
  const auto number = asked_version();
  if (!number) {
    return fail(number.error());
  }
  if (auto fine = models::check_model_name(name); !fine) {
    return fine;
  }
  const std::filesystem::path folder = std::filesystem::path(repository) / name / std::to_string(number->value_or(1));
  if (auto done = models::import_sentence_encoder(from.path, folder); !done) {
    return done;
  }
  fmt::print("{}\n", folder.string());
  return {};
}

Status ImportCommand::State::write_package(const fetch::Fetched& from) const {
  if (!into.empty()) {
    return fail(Code::kInvalidArgument, "--into is of --format onnx", "into");
  }
  const auto number = asked_version();
  const auto asked = precision.request();
  if (!number || !asked) {
    return fail(number ? asked.error() : number.error());
  }
  ThreadPool pool(threads);
  ProgressLine progress(!as_json && ::isatty(STDERR_FILENO) == 1);
  const auto made = import_package(
      {.source = from.path,
       .origin = from.name,
       .repository = repository,
       .name = name,
       .version = *number,
       .variant = variant,
       .is_default = is_default,
       .precision = *asked,
       .has_block = precision.block != 0,
       .quantize = {.method = method == "search" ? quantize::Method::kSearch : quantize::Method::kNearest},
       .on_progress = [&](const package::Progress& now) { progress.show(now); }},
      pool);
  progress.end();
  if (!made) {
    return fail(made.error());
  }
  fmt::print("{}", as_json ? import_json(*made).dump(2) + "\n" : import_text(*made));
  return {};
}

ImportCommand::ImportCommand(CLI::App& command, const std::string& home) : state_(std::make_unique<State>(home)) {
  State& s = *state_;
  s.command = command.add_subcommand("import", "Write a model into the model repository");
  s.command
      ->add_option(
          "source", s.source,
          "Hugging Face folder (config.json, safetensors, tokenizer.json) or GGUF file, or where to fetch one: "
          "hf:owner/name[@revision][/file.gguf], https://HOST/file.gguf")
      ->required();
  s.places.add_to(*s.command);
  CLI::Option* name = s.command->add_option("--name", s.name, "Name of the model in the repository");
  name->excludes(s.command->add_option("--into", s.into, "Of --format onnx: write this version folder instead"));
  s.command->add_option("--version", s.version,
                        "Version; default: another variant of the newest where it is made of the same source, else the "
                        "one after it");
  s.command->add_option("--variant", s.variant, "Name of the variant; default: by its bits, q4 or q4-mixed");
  s.command->add_flag("--default", s.is_default, "Serve this variant where a model has several");
  s.command->add_option("--format", s.format, "package, or onnx of a BERT folder")
      ->check(CLI::IsMember({"package", "onnx"}))
      ->capture_default_str();
  s.precision.add_to(*s.command);
  s.command->add_option("--method", s.method, "How scales are chosen: search (least error) or nearest (fast)")
      ->check(CLI::IsMember({"search", "nearest"}))
      ->capture_default_str();
  s.command->add_option("--repository", s.repository, "Model repository; default $SHOAL_HOME/models");
  s.command->add_option("--threads", s.threads, "Threads")->check(CLI::Range(1U, 256U));
  s.command->add_flag("--json", s.as_json, "A document with sizes and errors, for programs");
}

ImportCommand::~ImportCommand() = default;

bool ImportCommand::was_asked() const { return state_->command->parsed(); }

Status ImportCommand::run() {
  const auto from = state_->places.local(state_->source);
  if (!from) {
    return fail(from.error());
  }
  return state_->format == "onnx" ? state_->write_onnx(*from) : state_->write_package(*from);
}

}  // namespace shoal::app
