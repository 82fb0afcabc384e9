#include "engine/package/writer.hpp"

#include <gmock/gmock.h>

#include <cstring>
#include <map>

#include "engine/graph/plan_file.hpp"
#include "engine/package/precision_of.hpp"
#include "engine/runtime/executor.hpp"
#include "tests/engine/support/small_models.hpp"
#include "tests/engine/support/threads.hpp"

namespace shoal::package {
namespace {

// Files in memory, named by their contents as far as a test can tell them apart.
class MemoryOutput final : public Output {
 public:
  Result<std::string> write(Bytes contents, std::string_view suffix) override {
    if (files.size() >= most_files) {
      return fail(Code::kResourceLimit, "the disk is full");
    }
    std::string name(64, '0');
    const auto hash = std::to_string(std::hash<std::string_view>()(as_text(contents)));
    name.replace(0, hash.size(), hash);
    files.insert_or_assign(name + std::string(suffix), std::string(as_text(contents)));
    return name;
  }

  std::map<std::string, std::string> files;
  std::size_t most_files = 100;
};

// A written variant in memory that Weights::place() takes.
struct Opened {
  graph::Plan plan;
  std::vector<AlignedBytes> memory;
  runtime::Weights weights;

  Opened(const MemoryOutput& output, const Variant& variant) {
    plan = graph::read_plan(as_bytes(output.files.at(variant.plan.file))).value();
    std::vector<Bytes> shards;
    for (const graph::Shard& shard : plan.shards) {
      const std::string& file = output.files.at(shard.sha256 + ".weights");
      memory.push_back(AlignedBytes::make(file.size()).value());
      std::memcpy(memory.back().data(), file.data(), file.size());
      shards.emplace_back(memory.back().data(), memory.back().size());
    }
    weights = runtime::Weights::place(plan, shards).value();
  }
};

std::vector<float> logits(const graph::Plan& plan, const runtime::Weights& weights) {
  Serial serial;
  graph::Extents limits;
  for (const auto symbol : {graph::Symbol::kRows, graph::Symbol::kSlots}) {
    limits[symbol] = 1;
  }
  for (const auto symbol : {graph::Symbol::kTokens, graph::Symbol::kOutputs, graph::Symbol::kContext}) {
    limits[symbol] = 8;
  }
  const auto executor = runtime::Executor::make(plan, weights, limits, serial);
  const std::vector<std::int32_t> tokens = {1, 2, 3, 4, 5};
  const runtime::Row row{.tokens = tokens};
  const auto done = (*executor)->run("decode", *runtime::make_step({&row, 1}));
  EXPECT_TRUE(done) << done.error().message;
  const auto output = (*executor)->output("logits");
  return {output->row(0), output->row(0) + output->columns};
}

TEST(Writer, AVariantComputesWhatTheModelInMemoryDoes) {
  Serial serial;
  for (const std::uint32_t bits : {32U, 16U, 8U, 4U, 3U, 2U}) {
    auto small = test::small_llama(serial);
    ASSERT_TRUE(choose_formats(small.model, {.bits = bits, .block = 16}));
    MemoryOutput output;
    const auto variant = write_variant(small.model, small.checkpoint, {}, serial, output);
    ASSERT_TRUE(variant) << variant.error().message;
    const Opened opened(output, *variant);
    const auto in_memory = runtime::Weights::make(small.model.plan, small.model.recipes, small.checkpoint, {}, serial);
    EXPECT_EQ(logits(opened.plan, opened.weights), logits(small.model.plan, *in_memory)) << bits;
    EXPECT_EQ(opened.weights.bytes(), in_memory->bytes());
    EXPECT_GE(variant->weight_bytes, in_memory->bytes());
  }
}

TEST(Writer, TellsWhatStoringHasChanged) {
  Serial serial;
  double before = 0;
  for (const std::uint32_t bits : {32U, 8U, 4U, 2U}) {
    auto small = test::small_llama(serial);
    ASSERT_TRUE(choose_formats(small.model, {.bits = bits, .block = 16}));
    MemoryOutput output;
    const auto variant = write_variant(small.model, small.checkpoint, {}, serial, output).value();
    ASSERT_EQ(variant.tensors.size(), 9U);  // the embedding, and four matrices in each layer
    if (bits == 32) {
      EXPECT_EQ(variant.relative_error, 0);
    } else {
      EXPECT_GT(variant.relative_error, before * 3);
      EXPECT_GT(variant.tensors[0].relative_error, 0);
      EXPECT_GT(variant.tensors[0].largest_error, 0);
    }
    before = variant.relative_error;
  }
  EXPECT_LT(before, 0.5);
}

TEST(Writer, FilesDoNotDependOnThreadsAndAreSharedByVariants) {
  Serial serial;
  test::Threads threads(3);
  MemoryOutput output;
  auto one = test::small_llama(serial);
  auto other = test::small_llama(serial);
  ASSERT_TRUE(choose_formats(one.model, {.bits = 4, .block = 16}));
  ASSERT_TRUE(choose_formats(other.model, {.bits = 4, .block = 16}));
  const auto first = write_variant(one.model, one.checkpoint, {}, serial, output).value();
  const std::size_t files = output.files.size();
  EXPECT_EQ(write_variant(other.model, other.checkpoint, {}, threads, output)->plan.sha256, first.plan.sha256);
  EXPECT_EQ(output.files.size(), files);
  auto eight = test::small_llama(serial);
  ASSERT_TRUE(choose_formats(eight.model, {.bits = 8, .block = 16}));
  ASSERT_TRUE(write_variant(eight.model, eight.checkpoint, {}, serial, output));
  // A plan and the 8-bit matrices are new; vectors and the f16 matrices are shared.
  EXPECT_EQ(output.files.size(), files + 2);
}

TEST(Writer, ReportsProgressInBytes) {
  Serial serial;
  auto small = test::small_llama(serial);
  MemoryOutput output;
  std::vector<std::string> tensors;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  const auto tell = [&](const Progress& progress) {
    EXPECT_GE(progress.bytes_done, done);
    tensors.emplace_back(progress.tensor);
    done = progress.bytes_done;
    total = progress.bytes_total;
  };
  ASSERT_TRUE(write_variant(small.model, small.checkpoint, {.on_progress = tell}, serial, output));
  EXPECT_EQ(tensors.front(), "model.embed_tokens.weight");
  EXPECT_EQ(tensors.back(), "");
  EXPECT_GT(done, total * 9 / 10);
  EXPECT_LE(done, total);
}

TEST(Writer, WhatTheFolderRefusesIsTheError) {
  Serial serial;
  auto small = test::small_llama(serial);
  MemoryOutput output;
  output.most_files = 1;
  EXPECT_THAT(write_variant(small.model, small.checkpoint, {}, serial, output).error().message,
              testing::HasSubstr("the disk is full"));
}

}  // namespace
}  // namespace shoal::package
