// What keys and values of fewer bits cost a model, and what they save: over a text, each token told by those before it.
// `bench_kv PACKAGE TEXT [TOKENS]` prints one JSON document.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/runtime/executor.hpp"
#include "server/app/native_model.hpp"
#include "server/text/tokenizer.hpp"

namespace {

using namespace shoal;
using Ids = std::vector<std::int32_t>;

constexpr std::uint32_t kChunk = 128;
constexpr int kDecodeSteps = 32;
constexpr int kPasses = 5;

graph::Extents limits_for(std::uint32_t tokens) {
  graph::Extents out;
  out[graph::Symbol::kRows] = out[graph::Symbol::kSlots] = 1;
  out[graph::Symbol::kTokens] = out[graph::Symbol::kOutputs] = kChunk;
  out[graph::Symbol::kContext] = tokens + kDecodeSteps;
  return out;
}

struct Told {
  double nll = 0;  // mean over the tokens
  double kl = 0;   // from the reference's distribution
  std::vector<std::int32_t> likeliest;
  std::vector<std::vector<float>> log_probabilities;
};

void to_log_probabilities(std::vector<float>& logits) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float one : logits) {
    sum += std::exp(double{one} - double{highest});
  }
  const auto shift = static_cast<float>(double{highest} + std::log(sum));
  for (float& one : logits) {
    one -= shift;
  }
}

// `reference`: told with floats; null for those themselves.
Told tell(runtime::Executor& executor, const Ids& ids, const Told* reference) {
  Told out;
  for (std::size_t first = 0; first + 1 < ids.size(); first += kChunk) {
    const std::size_t count = std::min<std::size_t>(kChunk, ids.size() - first);
    const runtime::Row row{.tokens = std::span(ids).subspan(first, count),
                           .past = static_cast<std::uint32_t>(first),
                           .wants_every_output = true};
    if (!executor.run("decode", *runtime::make_step({&row, 1}))) {
      fmt::print(stderr, "a step failed\n");
      std::exit(1);
    }
    const auto logits = *executor.output("logits");
    for (std::size_t token = 0; token < count && first + token + 1 < ids.size(); ++token) {
      std::vector<float> told(logits.row(token), logits.row(token) + logits.columns);
      to_log_probabilities(told);
      out.nll -= double{told[static_cast<std::size_t>(ids[first + token + 1])]};
      out.likeliest.push_back(static_cast<std::int32_t>(std::max_element(told.begin(), told.end()) - told.begin()));
      if (reference == nullptr) {
        out.log_probabilities.push_back(std::move(told));
        continue;
      }
      const std::vector<float>& expected = reference->log_probabilities[first + token];
      for (std::size_t id = 0; id < told.size(); ++id) {
        out.kl += std::exp(double{expected[id]}) * (double{expected[id]} - double{told[id]});
      }
    }
  }
  const auto count = static_cast<double>(out.likeliest.size());
  out.nll /= count;
  out.kl /= count;
  return out;
}

// Milliseconds of this process's time for one token behind all others: of the best pass, and not of the clock on the
// wall, since others may be busy on the machine.
double decode_ms(runtime::Executor& executor, const Ids& ids) {
  double best = INFINITY;
  for (int pass = 0; pass < kPasses; ++pass) {
    const std::clock_t begin = std::clock();
    for (int step = 0; step < kDecodeSteps; ++step) {
      const runtime::Row row{.tokens = std::span(ids).first(1),
                             .past = static_cast<std::uint32_t>(ids.size()) + static_cast<std::uint32_t>(step)};
      if (!executor.run("decode", *runtime::make_step({&row, 1}))) {
        std::exit(1);
      }
    }
    best = std::min(best, 1000.0 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC / kDecodeSteps);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: bench_kv PACKAGE TEXT [TOKENS]\n");
    return 2;
  }
  Serial serial;
  const auto loaded = app::load_native({.model = argv[1], .home = ".shoal"}, serial);
  std::ifstream file(argv[2], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!loaded || text.empty()) {
    fmt::print(stderr, "{}\n", loaded ? "the text is empty" : loaded.error().message);
    return 1;
  }
  const app::NativeModel& model = **loaded;
  const auto tokens = (*text::Tokenizer::load(as_bytes(model.tokenizer)))->encode(text, false);
  Ids ids(tokens->ids.begin(), tokens->ids.end());
  ids.resize(std::min(ids.size(), argc > 3 ? std::stoul(argv[3]) : std::size_t{1024}));
  nlohmann::json rows = nlohmann::json::array();
  Told exact;
  double exact_ms = 0;
  for (const char* name : {"32", "16", "8", "8,4", "4", "4,2", "2"}) {
    auto executor =
        runtime::Executor::make(model.plan, model.weights, limits_for(static_cast<std::uint32_t>(ids.size())), serial,
                                *runtime::parse_kv_bits(name));
    if (!executor) {
      fmt::print(stderr, "{}\n", executor.error().message);
      return 1;
    }
    const bool is_exact = rows.empty();
    const Told told = tell(**executor, ids, is_exact ? nullptr : &exact);
    const double ms = decode_ms(**executor, ids);
    if (is_exact) {
      exact = told;
      exact_ms = ms;
    }
    std::size_t same = 0;
    for (std::size_t index = 0; index < told.likeliest.size(); ++index) {
      same += told.likeliest[index] == exact.likeliest[index] ? 1 : 0;
    }
    const auto positions = static_cast<double>(ids.size()) + kDecodeSteps;
    rows.push_back({{"kv_bits", name},
                    {"bytes_per_token", static_cast<double>((*executor)->memory().state) / positions},
                    {"perplexity", std::exp(told.nll)},
                    {"kl", told.kl},
                    {"same_likeliest", static_cast<double>(same) / static_cast<double>(told.likeliest.size())},
                    {"decode_ms", ms},
                    {"decode_to_32", exact_ms / ms}});
  }
  fmt::print("{}\n", nlohmann::json{{"tokens", ids.size()}, {"rows", rows}}.dump(2));
  return 0;
}
