// One reference model of $SHOAL_FIXTURES: its folder, the cases that PyTorch answered and the tolerance that they
// state.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/archs/build.hpp"
#include "engine/import/checkpoint.hpp"
#include "engine/kernels/matrix.hpp"
#include "engine/runtime/executor.hpp"

namespace shoal::test {

// A folder, each file read once and kept.
class Folder final : public import::Files {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  Result<Bytes> read(std::string_view name) override;

 private:
  std::string path_;
  std::map<std::string, std::string, std::less<>> files_;
};

// A model in memory with its weights as floats.
struct LoadedModel {
  archs::Model model;
  runtime::Weights weights;
};
// Every failure is thrown, to fail the test.
LoadedModel load_model(const std::string& path, Parallel& parallel, const archs::EmbeddingStyle& style = {},
                       formats::Codes codes = formats::Codes::kF32);

// Makes matrices of a plan f16.
void use_codes(graph::Plan& plan, formats::Codes codes);

struct ReferenceTensor {
  std::vector<std::uint64_t> shape;
  std::vector<float> floats;
  std::vector<std::int32_t> ints;
};

// The tensors of one case, by name: "input.input_ids", "output.logits".
struct ReferenceCase {
  std::string name;
  nlohmann::json facts;
  std::map<std::string, ReferenceTensor, std::less<>> tensors;

  [[nodiscard]] std::size_t rows() const { return static_cast<std::size_t>(at("input.input_ids").shape[0]); }
  [[nodiscard]] std::size_t columns() const { return static_cast<std::size_t>(at("input.input_ids").shape[1]); }
  [[nodiscard]] const ReferenceTensor& at(std::string_view name) const;
  // The tokens of a row that are no padding, and where in the row they stand.
  [[nodiscard]] std::vector<std::int32_t> tokens(std::size_t row, std::string_view input = "input.input_ids") const;
  [[nodiscard]] std::vector<std::size_t> kept(std::size_t row) const;
};

struct Fixture {
  std::string path;
  nlohmann::json facts;
  std::vector<ReferenceCase> cases;

  struct Tolerance {
    double relative;
    double absolute;
  };
  [[nodiscard]] Tolerance tolerance(const std::string& output) const;
};

// Nothing without $SHOAL_FIXTURES.
std::optional<Fixture> load_fixture(const std::string& name);

// Asserts |actual - expected| <= absolute + relative * |expected| for each element of a row, and that both are finite.
void expect_close(const float* actual, const float* expected, std::size_t count, Fixture::Tolerance tolerance,
                  const std::string& what);

#define SHOAL_FIXTURE_OR_SKIP(variable, name)                                       \
  const auto variable = ::shoal::test::load_fixture(name);                          \
  if (!variable) {                                                                  \
    GTEST_SKIP() << "SHOAL_FIXTURES is not set: the reference models are not here"; \
  }

}  // namespace shoal::test
