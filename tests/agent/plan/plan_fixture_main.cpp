// plan_fixture FOLDER OUT BITS: the plan and the shards of a Hugging Face folder as files of OUT, named as a package
// names them. Prints as JSON what an agent is told of them. For tests of the agent, which bring their own server.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/archs/build.hpp"
#include "engine/graph/places.hpp"
#include "engine/graph/plan_file.hpp"
#include "engine/runtime/make_weight.hpp"
#include "server/core/ids.hpp"
#include "tests/engine/support/fixture.hpp"

namespace shoal::test {
namespace {

template <class T>
T need(Result<T> result) {
  if (!result) {
    std::cerr << result.error().message << '\n';
    std::exit(1);
  }
  return std::move(*result);
}

std::string write(const std::filesystem::path& folder, Bytes contents, const char* suffix) {
  std::string name = sha256_hex(contents.data(), contents.size());
  std::ofstream file(folder / (name + suffix), std::ios::binary);
  file.write(reinterpret_cast<const char*>(contents.data()), static_cast<std::streamsize>(contents.size()));
  if (!file.flush()) {
    std::cerr << "cannot write to " << folder << '\n';
    std::exit(1);
  }
  return name;
}

void use_bits(graph::Plan& plan, std::uint32_t bits) {
  for (graph::Tensor& tensor : plan.tensors) {
    if (tensor.kind != graph::TensorKind::kWeight || tensor.shape.size() != 2) {
      continue;
    }
    tensor.format.codes = need(formats::codes_of_bits(bits));
    if (formats::is_quantized(tensor.format.codes)) {
      tensor.format.block = need(formats::effective_block(32, tensor.shape[1].size));
    }
  }
}

// Gives each weight its place, in two shards or three.
void place(graph::Plan& plan) {
  std::uint64_t total = 0;
  const auto each_weight = [&](auto&& body) {
    for (graph::Tensor& tensor : plan.tensors) {
      if (tensor.kind == graph::TensorKind::kWeight) {
        const std::uint64_t bytes = need(graph::stored_bytes(tensor));
        body(tensor, (bytes + graph::kPlaceAlignment - 1) / graph::kPlaceAlignment * graph::kPlaceAlignment);
      }
    }
  };
  each_weight([&](const graph::Tensor&, std::uint64_t bytes) { total += bytes; });
  each_weight([&](graph::Tensor& tensor, std::uint64_t bytes) {
    if (plan.shards.empty() || plan.shards.back().bytes > total / 2) {
      plan.shards.emplace_back();
    }
    tensor.shard = static_cast<std::uint32_t>(plan.shards.size() - 1);
    tensor.offset = plan.shards.back().bytes;
    plan.shards.back().bytes += bytes;
  });
}

int make(const std::string& source, const std::string& out, std::uint32_t bits) {
  Folder folder(source);
  auto config = need(import::Config::parse(as_text(need(folder.read("config.json")))));
  std::optional<import::Config> generation;
  if (const auto file = folder.read("generation_config.json")) {
    generation = need(import::Config::parse(as_text(*file)));
  }
  const auto checkpoint = need(import::Checkpoint::open(folder));
  auto model = need(archs::build_model(config, generation ? &*generation : nullptr, checkpoint, {}));
  graph::Plan& plan = model.plan;
  use_bits(plan, bits);
  place(plan);
  Serial serial;
  nlohmann::json shards = nlohmann::json::array();
  for (std::uint32_t index = 0; index < plan.shards.size(); ++index) {
    const auto memory = need(AlignedBytes::make(plan.shards[index].bytes));
    for (graph::TensorId id = 0; id < plan.tensors.size(); ++id) {
      const graph::Tensor& tensor = plan.tensors[id];
      if (tensor.kind != graph::TensorKind::kWeight || tensor.shard != index) {
        continue;
      }
      const std::span place(memory.data() + tensor.offset, need(graph::stored_bytes(tensor)));
      if (const auto made = runtime::make_weight(tensor, model.recipes[id], checkpoint, {}, serial, place); !made) {
        std::cerr << made.error().message << '\n';
        return 1;
      }
    }
    plan.shards[index].sha256 = write(out, {memory.data(), memory.size()}, ".weights");
    shards.push_back({{"sha256", plan.shards[index].sha256}, {"bytes", plan.shards[index].bytes}});
  }
  const auto file = graph::write_plan(plan);
  const std::string name = write(out, std::as_bytes(std::span(file)), ".plan");
  std::cout << nlohmann::json{{"plan", {{"sha256", name}, {"bytes", file.size()}}},
                              {"shards", shards},
                              {"vocabulary", model.facts.vocabulary},
                              {"eos", model.facts.eos},
                              {"decoderStart", model.facts.decoder_start}}
            << '\n';
  return 0;
}

}  // namespace
}  // namespace shoal::test

int main(int argc, char** argv) {
  const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
  if (argc != 4) {
    std::cerr << "plan_fixture FOLDER OUT BITS\n";
    return 2;
  }
  return shoal::test::make(arguments[1], arguments[2], static_cast<std::uint32_t>(std::atoi(arguments[3])));
}
