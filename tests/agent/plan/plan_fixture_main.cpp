// plan_fixture SOURCE OUT BITS [PATTERN=BITS...]: the plan and the shards of a Hugging Face folder or a GGUF file as
// files of OUT, named as a package names them. Prints as JSON what an agent is told of them. For tests of the agent,
// which bring their own server.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/archs/build.hpp"
#include "engine/graph/places.hpp"
#include "engine/graph/plan_file.hpp"
#include "engine/import/source.hpp"
#include "engine/package/precision_of.hpp"
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

int make(const std::string& path, const std::string& out, const quantize::PrecisionRequest& request) {
  Folder folder(std::filesystem::is_directory(path) ? path : std::filesystem::path(path).parent_path().string());
  import::Source source =
      need(std::filesystem::is_directory(path)
               ? import::open_folder(folder)
               : import::open_gguf(need(folder.read(std::filesystem::path(path).filename().string()))));
  const import::Checkpoint& checkpoint = source.checkpoint;
  auto model =
      need(archs::build_model(source.config, source.generation ? &*source.generation : nullptr, checkpoint, {}));
  if (const auto chosen = package::choose_formats(model, request); !chosen) {
    std::cerr << chosen.error().message << '\n';
    return 1;
  }
  graph::Plan& plan = model.plan;
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
  if (argc < 4) {
    std::cerr << "plan_fixture SOURCE OUT BITS [PATTERN=BITS...]\n";
    return 2;
  }
  shoal::quantize::PrecisionRequest request{.bits = static_cast<std::uint32_t>(std::atoi(arguments[3]))};
  for (char* rule : arguments.subspan(4)) {
    request.keep.push_back(shoal::test::need(shoal::quantize::parse_keep(rule)));
  }
  return shoal::test::make(arguments[1], arguments[2], request);
}
