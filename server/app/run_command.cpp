#include "server/app/run_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/runtime/greedy.hpp"
#include "server/app/native_model.hpp"
#include "server/app/thread_pool.hpp"
#include "server/core/clock.hpp"
#include "server/core/split.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::app {
namespace {

using Ids = std::vector<std::int32_t>;

// Room for one sequence: the prompt in one step, then one token a step.
graph::Extents limits_for(const archs::Facts& facts, std::size_t prompt_size, std::uint32_t max_tokens) {
  using graph::Symbol;
  const auto tokens = static_cast<std::uint32_t>(prompt_size);
  graph::Extents out;
  out[Symbol::kRows] = out[Symbol::kSlots] = 1;
  out[Symbol::kTokens] = out[Symbol::kOutputs] = out[Symbol::kMemory] = tokens;
  out[Symbol::kContext] = (facts.model_class == archs::ModelClass::kDecoder ? tokens : 1) + max_tokens;
  return out;
}

// The first of these outputs that the model has.
Result<kernels::Matrix> main_output(const runtime::Executor& executor) {
  for (const char* name : {"embedding", "logits", "start_logits"}) {
    if (auto output = executor.output(name)) {
      return output;
    }
  }
  return executor.output("last_hidden_state");
}

}  // namespace

struct RunCommand::State {
  CLI::App* command = nullptr;
  std::string home, model, prompt, tokens;
  std::uint32_t max_tokens = 64;
  std::optional<std::uint32_t> bits;
  std::uint32_t threads = std::max(1U, std::thread::hardware_concurrency());
  bool as_json = false;
  nlohmann::json report;

  [[nodiscard]] Result<Ids> prompt_ids(const std::string& tokenizer_json) const;
  Status encode(runtime::Executor& executor, const Ids& ids);
  Status generate(runtime::Executor& executor, const archs::Facts& facts, const Ids& ids);
};

Result<Ids> RunCommand::State::prompt_ids(const std::string& tokenizer_json) const {
  Ids ids;
  for (const std::string_view part : tokens.empty() ? std::vector<std::string_view>() : split(tokens, ',')) {
    const std::string one(part);
    if (one.empty() || one.size() > 9 || one.find_first_not_of("0123456789") != std::string::npos) {
      return fail(Code::kInvalidArgument, fmt::format("--tokens: '{}' is no token id", one), "tokens");
    }
    ids.push_back(static_cast<std::int32_t>(std::stoul(one)));
  }
  if (!ids.empty()) {
    return ids;
  }
  if (prompt.empty()) {
    return fail(Code::kInvalidArgument, "expected a prompt or --tokens", "prompt");
  }
  if (tokenizer_json.empty()) {
    return fail(Code::kNotFound, "the model has no tokenizer.json: expected --tokens", "tokens");
  }
  const auto tokenizer = text::Tokenizer::load(as_bytes(tokenizer_json));
  if (!tokenizer) {
    return fail(tokenizer.error());
  }
  const auto encoded = (*tokenizer)->encode(prompt);
  if (!encoded) {
    return fail(encoded.error());
  }
  ids.assign(encoded->ids.begin(), encoded->ids.end());
  return ids;
}

Status RunCommand::State::encode(runtime::Executor& executor, const Ids& ids) {
  const auto begin = Clock::now();
  const runtime::Row row{.tokens = ids, .wants_every_output = true};
  const auto step = runtime::make_step({&row, 1});
  if (!step) {
    return fail(step.error());
  }
  if (auto done = executor.run("encode", *step); !done) {
    return done;
  }
  report["compute_ms"] = milliseconds(Clock::now() - begin);
  const auto output = main_output(executor);
  if (!output) {
    return fail(output.error());
  }
  std::vector<std::vector<float>> rows;
  for (std::size_t index = 0; index < output->rows; ++index) {
    rows.emplace_back(output->row(index), output->row(index) + output->columns);
    if (!as_json) {
      fmt::print("{}\n", fmt::join(rows.back(), " "));
    }
  }
  report["output"] = std::move(rows);
  return {};
}

Status RunCommand::State::generate(runtime::Executor& executor, const archs::Facts& facts, const Ids& ids) {
  const auto begin = Clock::now();
  double first_ms = 0;
  const auto tell = [&](std::size_t, std::int32_t token) {
    first_ms = first_ms == 0 ? milliseconds(Clock::now() - begin) : first_ms;
    if (!as_json) {
      fmt::print("{}\n", token);
      std::fflush(stdout);
    }
    return true;
  };
  const auto made = runtime::greedy(
      executor, {&ids, 1},
      {.max_new_tokens = max_tokens, .eos = facts.eos, .decoder_start = facts.decoder_start, .on_token = tell});
  if (!made) {
    return fail(made.error());
  }
  report["ids"] = made->front();
  report["first_token_ms"] = first_ms;
  report["compute_ms"] = milliseconds(Clock::now() - begin);
  return {};
}

RunCommand::RunCommand(CLI::App& command, std::string home) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.home = std::move(home);
  s.command =
      command.add_subcommand("run", "Compute one answer of a model here: an encoder's vector, a decoder's token ids");
  s.command
      ->add_option("model", s.model,
                   "Package by its name in $SHOAL_HOME/models or by its folder, Hugging Face folder, or GGUF file")
      ->required();
  s.command->add_option("prompt", s.prompt, "Text; the model's tokenizer makes tokens of it");
  s.command->add_option("--tokens", s.tokens, "Token ids instead of a text: 1,2,3");
  s.command->add_option("--backend", "Where to compute: native")->check(CLI::IsMember({"native"}));
  s.command->add_option("--bits", s.bits, "Bits of the weights: 32, 16, 8, 4, 3 or 2; of a package those of a variant");
  s.command->add_option("--max-tokens", s.max_tokens, "Tokens of the answer at most")
      ->check(CLI::Range(1U, 1U << 20))
      ->capture_default_str();
  s.command->add_option("--threads", s.threads, "Threads")->check(CLI::Range(1U, 256U));
  s.command->add_flag("--json", s.as_json, "A document with the answer and times, for programs");
}

RunCommand::~RunCommand() = default;

bool RunCommand::was_asked() const { return state_->command->parsed(); }

Status RunCommand::run() {
  State& s = *state_;
  const auto begin = Clock::now();
  ThreadPool pool(s.threads);
  const auto loaded = load_native({.model = s.model, .home = s.home, .bits = s.bits}, pool);
  if (!loaded) {
    return fail(loaded.error());
  }
  const NativeModel& model = **loaded;
  const auto ids = s.prompt_ids(model.tokenizer);
  if (!ids) {
    return fail(ids.error());
  }
  auto executor =
      runtime::Executor::make(model.plan, model.weights, limits_for(model.facts, ids->size(), s.max_tokens), pool);
  if (!executor) {
    return fail(std::move(executor.error()));
  }
  const runtime::MemoryUse& memory = (*executor)->memory();
  s.report = {{"architecture", model.plan.architecture},
              {"bits", model.bits},
              {"threads", s.threads},
              {"prompt_tokens", ids->size()},
              {"load_ms", milliseconds(Clock::now() - begin)},
              {"weight_bytes", model.weights.bytes()},
              {"state_bytes", memory.state},
              {"value_bytes", memory.values + memory.scratch}};
  const Status status = model.facts.model_class == archs::ModelClass::kEncoder
                            ? s.encode(**executor, *ids)
                            : s.generate(**executor, model.facts, *ids);
  if (status && s.as_json) {
    fmt::print("{}\n", s.report.dump());
  }
  return status;
}

}  // namespace shoal::app
