#include "server/app/estimate_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/graph/places.hpp"
#include "engine/runtime/memory.hpp"
#include "server/app/import_package.hpp"
#include "server/app/model_source.hpp"
#include "server/app/precision_options.hpp"
#include "server/app/source_options.hpp"
#include "server/app/tables.hpp"

namespace shoal::app {
namespace {

// Tokens of a prompt in one step.
constexpr std::uint32_t kPromptTokens = 512;
constexpr std::uint32_t kUnboundedContext = 2048;

struct Estimate {
  std::map<std::string, std::uint64_t> components;  // bytes of weights by role
  std::uint64_t weights = 0;
  std::uint64_t weights_f16 = 0;
  runtime::MemoryUse memory;

  [[nodiscard]] std::uint64_t total() const { return weights + memory.state + memory.values + memory.scratch; }
};

// `tokens`: of a row, the longest.
graph::Extents limits_of(const archs::Facts& facts, std::uint32_t batch, std::uint32_t tokens) {
  using graph::Symbol;
  graph::Extents out;
  out[Symbol::kRows] = out[Symbol::kSlots] = batch;
  out[Symbol::kContext] = out[Symbol::kMemory] = tokens;
  const bool is_decoder = facts.model_class == archs::ModelClass::kDecoder;
  out[Symbol::kTokens] = is_decoder ? std::max(batch, std::min(tokens, kPromptTokens)) : batch * tokens;
  out[Symbol::kOutputs] = facts.model_class == archs::ModelClass::kEncoder ? out[Symbol::kTokens] : batch;
  return out;
}

Result<Estimate> estimate(const graph::Plan& plan, const graph::Extents& limits, std::uint32_t threads,
                          runtime::KvBits kv) {
  Estimate out;
  for (graph::Tensor tensor : plan.tensors) {
    if (tensor.kind != graph::TensorKind::kWeight) {
      continue;
    }
    const auto bytes = graph::stored_bytes(tensor);
    tensor.format = {.codes = formats::Codes::kF16};
    const auto as_f16 = graph::stored_bytes(tensor);
    if (!bytes || !as_f16) {
      return fail(bytes ? as_f16.error() : bytes.error());
    }
    out.components[std::string(quantize::role_name(quantize::role_of(tensor.name)))] += *bytes;
    out.weights += *bytes;
    out.weights_f16 += *as_f16;
  }
  const auto memory = runtime::memory_of(plan, limits, threads, kv);
  if (!memory) {
    return fail(memory.error());
  }
  out.memory = *memory;
  return out;
}

nlohmann::json json_of(const Estimate& found) {
  return {{"weights", found.components},
          {"weight_bytes", found.weights},
          {"weight_bytes_f16", found.weights_f16},
          {"state_bytes", found.memory.state},
          {"value_bytes", found.memory.values + found.memory.scratch},
          {"total_bytes", found.total()}};
}

std::string text_of(const Estimate& found) {
  std::string out;
  const auto line = [&out](std::string_view name, std::uint64_t bytes, const std::string& more = {}) {
    fmt::format_to(std::back_inserter(out), "{:<24}{:>12}{}\n", name, bytes_text(bytes), more);
  };
  for (const auto& [role, bytes] : found.components) {
    line("  " + role, bytes);
  }
  line("weights", found.weights,
       fmt::format(
           "   {:.2f} of {} at 16 bits",
           static_cast<double>(found.weights) / static_cast<double>(std::max<std::uint64_t>(found.weights_f16, 1)),
           bytes_text(found.weights_f16)));
  line("keys and values", found.memory.state);
  line("values of a step", found.memory.values + found.memory.scratch);
  line("together", found.total());
  return out;
}

}  // namespace

struct EstimateCommand::State {
  explicit State(const std::string& home) : places(home) {}

  CLI::App* command = nullptr;
  SourceOptions places;
  std::string source;
  PrecisionOptions precision;
  std::uint32_t context = 0;
  std::uint32_t batch = 1;
  std::uint32_t threads = 1;
  std::string kv_bits = "32";
  bool as_json = false;
};

EstimateCommand::EstimateCommand(CLI::App& command, const std::string& home) : state_(std::make_unique<State>(home)) {
  State& s = *state_;
  s.command = command.add_subcommand("estimate", "What a model would take in memory, without reading its weights");
  s.command
      ->add_option("source", s.source,
                   "Hugging Face folder or GGUF file, or where it is: hf:owner/name, https://HOST/file.gguf")
      ->required();
  s.places.add_to(*s.command);
  s.precision.add_to(*s.command);
  s.command->add_option("--context", s.context, "Tokens of a sequence; default: what the model was made for")
      ->check(CLI::Range(1U, 1U << 22));
  s.command->add_option("--batch", s.batch, "Sequences at once")->check(CLI::Range(1U, 4096U))->capture_default_str();
  s.command
      ->add_option("--kv-bits", s.kv_bits, "Bits of keys and values: 32, 16, 8, 4 or 2, for both or as KEYS,VALUES")
      ->capture_default_str();
  s.command->add_option("--threads", s.threads, "Threads of the engine")
      ->check(CLI::Range(1U, 256U))
      ->capture_default_str();
  s.command->add_flag("--json", s.as_json, "A document in bytes, for programs");
}

EstimateCommand::~EstimateCommand() = default;

bool EstimateCommand::was_asked() const { return state_->command->parsed(); }

Status EstimateCommand::run() {
  const State& s = *state_;
  const auto asked = s.precision.request();
  if (!asked) {
    return fail(asked.error());
  }
  const auto from = s.places.local(s.source, true);
  if (!from) {
    return fail(from.error());
  }
  auto source = open_source(from->path);
  if (!source) {
    return fail(std::move(source.error()));
  }
  auto model = source->build();
  if (!model) {
    return fail(std::move(model.error()));
  }
  if (auto chosen = choose_formats(*model, source->source.checkpoint, *asked, s.precision.block != 0); !chosen) {
    return chosen;
  }
  const std::uint32_t made_for = model->facts.max_positions == 0 ? kUnboundedContext : model->facts.max_positions;
  const std::uint32_t context = s.context == 0 ? made_for : s.context;
  const auto kv = runtime::parse_kv_bits(s.kv_bits);
  if (!kv) {
    return fail(kv.error());
  }
  const auto found = estimate(model->plan, limits_of(model->facts, s.batch, context), s.threads, *kv);
  if (!found) {
    return fail(found.error());
  }
  if (!s.as_json) {
    fmt::print("{}, {} bits, {} sequences of {} tokens\n{}", model->plan.architecture, asked->bits, s.batch, context,
               text_of(*found));
    return {};
  }
  nlohmann::json document = json_of(*found);
  document.update(
      {{"architecture", model->plan.architecture}, {"bits", asked->bits}, {"context", context}, {"batch", s.batch}});
  fmt::print("{}\n", document.dump(2));
  return {};
}

}  // namespace shoal::app
