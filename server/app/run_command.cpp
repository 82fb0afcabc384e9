#include "server/app/run_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/runtime/generation.hpp"
#include "server/app/browser_run.hpp"
#include "server/app/native_answer.hpp"
#include "server/app/native_model.hpp"
#include "server/app/source_options.hpp"
#include "server/app/thread_pool.hpp"
#include "server/core/clock.hpp"
#include "server/core/split.hpp"
#include "server/text/tokenizer.hpp"

namespace shoal::app {
namespace {

using Ids = std::vector<std::int32_t>;

// Tokens of a prompt in one step: more are hardly faster, and each needs memory for its values.
constexpr std::uint32_t kChunk = 256;

// Ctrl-C ends an answer between two tokens; what it has said so far stays.
std::atomic<bool> was_interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);
void interrupt(int) { was_interrupted = true; }

// Room for one sequence: chunks of the prompt, then one token a step. What an encoder reads, it reads in one step.
graph::Extents limits_for(const archs::Facts& facts, std::size_t prompt_size, std::uint32_t max_tokens) {
  using graph::Symbol;
  const bool is_decoder = facts.model_class == archs::ModelClass::kDecoder;
  const auto tokens = static_cast<std::uint32_t>(prompt_size);
  graph::Extents out;
  out[Symbol::kRows] = out[Symbol::kSlots] = 1;
  out[Symbol::kTokens] = is_decoder ? std::min(tokens, kChunk) : tokens;
  out[Symbol::kOutputs] = facts.model_class == archs::ModelClass::kEncoder ? tokens : 1;
  out[Symbol::kMemory] = tokens;
  const std::uint32_t context = (is_decoder ? tokens : 1) + max_tokens;
  out[Symbol::kContext] = facts.max_positions == 0 ? context : std::min(context, facts.max_positions);
  return out;
}

double per_second(std::size_t count, Duration time) {
  return time.count() == 0 ? 0 : static_cast<double>(count) * 1000 / milliseconds(time);
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
  explicit State(std::string folder) : home(std::move(folder)), places(home) {}

  CLI::App* command = nullptr;
  std::function<Result<Settings>()> settings;
  std::string home;
  SourceOptions places;
  std::string model, prompt, tokens, url;
  std::string backend = "native";
  std::string kv_bits = "32";
  std::uint32_t max_tokens = 256;
  std::optional<std::uint32_t> bits;
  std::uint32_t threads = std::max(1U, std::thread::hardware_concurrency());
  runtime::SamplingOptions sampling;
  std::optional<std::uint64_t> seed;
  bool is_raw = false;
  bool as_json = false;
  std::shared_ptr<const text::Tokenizer> tokenizer;  // null where the model has none
  nlohmann::json report;

  // Those of --tokens.
  [[nodiscard]] Result<Ids> given_ids() const;
  [[nodiscard]] Result<Ids> ids_of(const NativeModel& loaded);
  // Prints what an answer gets longer by.
  void tell(const std::vector<std::int32_t>& ids, std::string_view text) const;
  void print_rows(const nlohmann::json& rows) const;
  Status run_in_browser();
  Status encode(runtime::Executor& executor, const Ids& ids);
  Status generate(runtime::Executor& executor, const archs::Facts& facts, const graph::Extents& limits, const Ids& ids);
};

Result<Ids> RunCommand::State::given_ids() const {
  Ids ids;
  for (const std::string_view part : tokens.empty() ? std::vector<std::string_view>() : split(tokens, ',')) {
    const std::string one(part);
    if (one.empty() || one.size() > 9 || one.find_first_not_of("0123456789") != std::string::npos) {
      return fail(Code::kInvalidArgument, fmt::format("--tokens: '{}' is no token id", one), "tokens");
    }
    ids.push_back(static_cast<std::int32_t>(std::stoul(one)));
  }
  if (ids.empty() && prompt.empty()) {
    return fail(Code::kInvalidArgument, "expected a prompt or --tokens", "prompt");
  }
  return ids;
}

Result<Ids> RunCommand::State::ids_of(const NativeModel& loaded) {
  if (!loaded.tokenizer.empty()) {
    auto made = text::Tokenizer::load(as_bytes(loaded.tokenizer));
    if (!made) {
      return fail(std::move(made.error()));
    }
    tokenizer = std::move(*made);
  }
  auto ids = given_ids();
  if (!ids || !ids->empty()) {
    return ids;
  }
  if (!tokenizer) {
    return fail(Code::kNotFound, "the model has no tokenizer.json: expected --tokens", "tokens");
  }
  return prompt_ids(*tokenizer,
                    {.tokenizer_config = loaded.tokenizer_config, .chat_template = is_raw ? "" : loaded.chat_template},
                    prompt);
}

// Ids in, ids out: a program that has tokens wants tokens.
void RunCommand::State::tell(const std::vector<std::int32_t>& ids, std::string_view text) const {
  if (as_json) {
    return;
  }
  if (tokens.empty()) {
    fmt::print("{}", text);
  } else {
    for (const std::int32_t id : ids) {
      fmt::print("{}\n", id);
    }
  }
  std::fflush(stdout);
}

void RunCommand::State::print_rows(const nlohmann::json& rows) const {
  for (const nlohmann::json& row : rows) {
    if (!as_json) {
      fmt::print("{}\n", fmt::join(row.get<std::vector<float>>(), " "));
    }
  }
}

Status RunCommand::State::run_in_browser() {
  const auto ids = given_ids();
  auto configured = ids ? settings() : fail(ids.error());
  if (!configured) {
    return fail(configured.error());
  }
  ThreadPool pool(threads);
  BrowserRun run{.url = url, .model = model, .bits = bits, .kv_bits = kv_bits, .question = {}};
  sampling.seed = seed ? *seed : std::random_device()();
  run.question = {.model = model,
                  .prompt = prompt,
                  .is_raw = is_raw,
                  .ids = *ids,
                  .max_tokens = max_tokens,
                  .sampling = {.temperature = sampling.temperature,
                               .top_k = sampling.top_k,
                               .top_p = sampling.top_p,
                               .min_p = sampling.min_p,
                               .repetition_penalty = sampling.repetition_penalty,
                               .seed = sampling.seed}};
  std::signal(SIGINT, interrupt);
  auto answer = app::run_in_browser(std::move(run), *configured, pool, [this](const auto& more, std::string_view text) {
    tell(more, text);
    return !was_interrupted;
  });
  std::signal(SIGINT, SIG_DFL);
  if (!answer) {
    return fail(answer.error());
  }
  report = *std::move(answer);
  if (report.contains("output")) {
    print_rows(report["output"]);
  } else {
    report["seed"] = sampling.seed;
    if (!as_json && tokens.empty()) {
      fmt::print("\n");
    }
  }
  return {};
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
  }
  report["output"] = std::move(rows);
  print_rows(report["output"]);
  return {};
}

Status RunCommand::State::generate(runtime::Executor& executor, const archs::Facts& facts, const graph::Extents& limits,
                                   const Ids& ids) {
  sampling.seed = seed ? *seed : std::random_device()();
  auto generation = runtime::Generation::make(ids,
                                              {.max_tokens = max_tokens,
                                               .chunk = kChunk,
                                               .stop_ids = facts.eos,
                                               .decoder_start = facts.decoder_start,
                                               .sampling = sampling},
                                              {.vocabulary = facts.vocabulary,
                                               .context = limits[graph::Symbol::kContext],
                                               .memory = limits[graph::Symbol::kMemory]});
  if (!generation) {
    return fail(std::move(generation.error()));
  }
  const auto on_token = [&](std::optional<std::int32_t> id, std::string_view text) {
    tell(id ? std::vector{*id} : std::vector<std::int32_t>(), text);
  };
  std::signal(SIGINT, interrupt);
  const auto answer =
      run_answer(executor, *generation, tokenizer, {.on_token = on_token, .is_cancelled = &was_interrupted});
  std::signal(SIGINT, SIG_DFL);
  if (!answer) {
    return fail(answer.error());
  }
  if (!as_json && tokens.empty()) {
    fmt::print("\n");
  }
  report["ids"] = answer->ids;
  if (tokenizer) {
    report["text"] = answer->text;
  }
  report["finish_reason"] = runtime::finish_name(answer->reason);
  report["seed"] = sampling.seed;
  report["first_token_ms"] = milliseconds(answer->prefill);
  report["compute_ms"] = milliseconds(answer->prefill + answer->decode);
  report["prefill_tokens_per_second"] = per_second(ids.size(), answer->prefill);
  report["decode_tokens_per_second"] = answer->ids.empty() ? 0 : per_second(answer->ids.size() - 1, answer->decode);
  return {};
}

RunCommand::RunCommand(CLI::App& command, std::string home, std::function<Result<Settings>()> settings)
    : state_(std::make_unique<State>(std::move(home))) {
  State& s = *state_;
  s.settings = std::move(settings);
  s.command = command.add_subcommand("run", "Compute one answer of a model: a chat model's text, an encoder's vector");
  s.command
      ->add_option(
          "model", s.model,
          "Package by its name in $SHOAL_HOME/models or by its folder, Hugging Face folder, or GGUF file; or where to "
          "fetch one: hf:owner/name[@revision][/file.gguf], https://HOST/file.gguf")
      ->required();
  s.places.add_to(*s.command);
  s.command->add_option("prompt", s.prompt, "Text; of a chat model what the user says");
  s.command->add_flag("--raw", s.is_raw, "Give a chat model the text as it is, without its chat template");
  s.command->add_option("--tokens", s.tokens, "Token ids instead of a text: 1,2,3; the answer is ids too");
  CLI::Option* backend =
      s.command
          ->add_option("--backend", s.backend, "native: here. wasm: in a headless browser, which is started for it")
          ->check(CLI::IsMember({"native", "wasm"}))
          ->capture_default_str();
  s.command->add_option("--bits", s.bits, "Bits of the weights: 32, 16, 8, 4, 3 or 2; of a package those of a variant");
  CLI::Option* kv_bits =
      s.command
          ->add_option("--kv-bits", s.kv_bits, "Bits of keys and values: 32, 16, 8, 4 or 2, for both or as KEYS,VALUES")
          ->capture_default_str();
  s.command
      ->add_option("--url", s.url,
                   "http://HOST:PORT of a running server whose browsers compute it; the model is one of its own")
      ->excludes(backend, kv_bits);
  s.command->add_option("--max-tokens", s.max_tokens, "Tokens of the answer at most")
      ->check(CLI::Range(1U, 1U << 20))
      ->capture_default_str();
  s.command->add_option("--temperature", s.sampling.temperature, "0 takes the likeliest token each time")
      ->capture_default_str();
  s.command->add_option("--top-k", s.sampling.top_k, "Draw from so many tokens; 0 is all")->capture_default_str();
  s.command->add_option("--top-p", s.sampling.top_p, "Draw from the fewest tokens that have this probability")
      ->capture_default_str();
  s.command->add_option("--min-p", s.sampling.min_p, "Leave out tokens below this share of the likeliest one's")
      ->capture_default_str();
  s.command->add_option("--repetition-penalty", s.sampling.repetition_penalty, "1 is none")->capture_default_str();
  s.command->add_option("--seed", s.seed, "The same seed draws the same tokens; a random one without it");
  s.command->add_option("--threads", s.threads, "Threads")->check(CLI::Range(1U, 256U));
  s.command->add_flag("--json", s.as_json, "A document with the answer and times, for programs");
}

RunCommand::~RunCommand() = default;

bool RunCommand::was_asked() const { return state_->command->parsed(); }

Status RunCommand::run() {
  State& s = *state_;
  if (s.url.empty()) {
    auto from = s.places.local(s.model);
    if (!from) {
      return fail(std::move(from.error()));
    }
    s.model = from->path.string();
  }
  if (s.backend != "native" || !s.url.empty()) {
    const Status status = s.run_in_browser();
    if (status && s.as_json) {
      fmt::print("{}\n", s.report.dump());
    }
    return status;
  }
  const auto begin = Clock::now();
  ThreadPool pool(s.threads);
  const auto loaded = load_native({.model = s.model, .home = s.home, .bits = s.bits}, pool);
  if (!loaded) {
    return fail(loaded.error());
  }
  const NativeModel& model = **loaded;
  const auto ids = s.ids_of(model);
  if (!ids) {
    return fail(ids.error());
  }
  const graph::Extents limits = limits_for(model.facts, ids->size(), s.max_tokens);
  const auto kv = runtime::parse_kv_bits(s.kv_bits);
  if (!kv) {
    return fail(kv.error());
  }
  auto executor = runtime::Executor::make(model.plan, model.weights, limits, pool, *kv);
  if (!executor) {
    return fail(std::move(executor.error()));
  }
  const runtime::MemoryUse& memory = (*executor)->memory();
  s.report = {{"architecture", model.plan.architecture},
              {"bits", model.bits},
              {"threads", s.threads},
              {"prompt_tokens", ids->size()},
              {"prompt_ids", *ids},
              {"load_ms", milliseconds(Clock::now() - begin)},
              {"weight_bytes", model.weights.bytes()},
              {"state_bytes", memory.state},
              {"value_bytes", memory.values + memory.scratch}};
  const Status status = model.facts.model_class == archs::ModelClass::kEncoder
                            ? s.encode(**executor, *ids)
                            : s.generate(**executor, model.facts, limits, *ids);
  if (status && s.as_json) {
    fmt::print("{}\n", s.report.dump());
  }
  return status;
}

}  // namespace shoal::app
