#include "tests/engine/support/fixture.hpp"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace shoal::test {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    throw std::runtime_error("cannot read " + path);
  }
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

template <class T>
T need(Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().message);
  }
  return std::move(*result);
}

ReferenceTensor tensor_of(const import::TensorView& view) {
  ReferenceTensor out{.shape = view.shape, .floats = {}, .ints = {}};
  if (view.type == import::ElementType::kI64) {
    for (std::size_t at = 0; at < view.data.size(); at += sizeof(std::int64_t)) {
      out.ints.push_back(static_cast<std::int32_t>(*load_le<std::int64_t>(view.data, at)));
    }
  } else {
    out.floats = need(import::to_floats(view));
  }
  return out;
}

}  // namespace

Result<Bytes> Folder::read(std::string_view name) {
  auto found = files_.find(name);
  if (found == files_.end()) {
    const std::string path = path_ + "/" + std::string(name);
    if (!std::filesystem::exists(path)) {
      return fail(Code::kNotFound, "there is no " + std::string(name));
    }
    found = files_.emplace(name, read_file(path)).first;
  }
  return as_bytes(found->second);
}

void use_codes(graph::Plan& plan, formats::Codes codes) {
  for (graph::Tensor& tensor : plan.tensors) {
    if (tensor.kind == graph::TensorKind::kWeight && tensor.shape.size() == 2) {
      tensor.format.codes = codes;
    }
  }
}

LoadedModel load_model(const std::string& path, Parallel& parallel, const archs::EmbeddingStyle& style,
                       formats::Codes codes) {
  Folder folder(path);
  auto config = need(import::Config::parse(as_text(need(folder.read("config.json")))));
  std::optional<import::Config> generation;
  if (const auto file = folder.read("generation_config.json")) {
    generation = need(import::Config::parse(as_text(*file)));
  }
  const auto checkpoint = need(import::Checkpoint::open(folder));
  LoadedModel out{.model = need(archs::build_model(config, generation ? &*generation : nullptr, checkpoint, style)),
                  .weights = {}};
  use_codes(out.model.plan, codes);
  out.weights = need(runtime::Weights::make(out.model.plan, out.model.recipes, checkpoint, {}, parallel));
  return out;
}

const ReferenceTensor& ReferenceCase::at(std::string_view tensor) const {
  const auto found = tensors.find(tensor);
  if (found == tensors.end()) {
    throw std::runtime_error("case " + name + " has no " + std::string(tensor));
  }
  return found->second;
}

std::vector<std::size_t> ReferenceCase::kept(std::size_t row) const {
  const ReferenceTensor& mask = at("input.attention_mask");
  std::vector<std::size_t> out;
  for (std::size_t column = 0; column < columns(); ++column) {
    if (mask.ints[row * columns() + column] != 0) {
      out.push_back(column);
    }
  }
  return out;
}

std::vector<std::int32_t> ReferenceCase::tokens(std::size_t row, std::string_view input) const {
  const ReferenceTensor& ids = at(input);
  std::vector<std::int32_t> out;
  for (const std::size_t column : kept(row)) {
    out.push_back(ids.ints[row * columns() + column]);
  }
  return out;
}

Fixture::Tolerance Fixture::tolerance(const std::string& output) const {
  const auto& strict = facts.at("tolerance").at("fp32_strict");
  return {.relative = strict.at("rtol").get<double>(), .absolute = strict.at("atol").at(output).get<double>()};
}

std::optional<Fixture> load_fixture(const std::string& name) {
  const char* fixtures = std::getenv("SHOAL_FIXTURES");
  if (fixtures == nullptr) {
    return std::nullopt;
  }
  Fixture out{.path = std::string(fixtures) + "/models/" + name, .facts = {}, .cases = {}};
  out.facts = nlohmann::json::parse(read_file(out.path + "/reference/cases.json"));
  for (const auto& facts : out.facts.at("cases")) {
    const std::string file = read_file(out.path + "/reference/" + facts.at("file").get<std::string>());
    const auto parsed = need(import::parse_safetensors(as_bytes(file)));
    ReferenceCase one{.name = facts.at("name").get<std::string>(), .facts = facts, .tensors = {}};
    for (const auto& [tensor, view] : parsed.tensors) {
      one.tensors.emplace(tensor, tensor_of(view));
    }
    out.cases.push_back(std::move(one));
  }
  return out;
}

void expect_close(const float* actual, const float* expected, std::size_t count, Fixture::Tolerance tolerance,
                  const std::string& what) {
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t index = 0; index < count; ++index) {
    const double bound = tolerance.absolute + tolerance.relative * std::abs(static_cast<double>(expected[index]));
    const double off = std::abs(static_cast<double>(actual[index]) - static_cast<double>(expected[index])) / bound;
    // A NaN is worse than anything.
    if (!(off <= worst)) {
      worst = off;
      where = index;
    }
  }
  EXPECT_LE(worst, 1.0) << what << ": element " << where << " is " << actual[where] << ", expected " << expected[where]
                        << ": " << worst << " times the tolerance";
}

}  // namespace shoal::test
