#include "engine/import/checkpoint.hpp"

#include <gmock/gmock.h>

#include "tests/engine/support/memory_files.hpp"

namespace shoal::import {
namespace {

using test::MemoryFiles;
using test::safetensors_of;

TEST(Checkpoint, ReadsOneFile) {
  MemoryFiles files;
  files.add("model.safetensors", safetensors_of({{"a", {2}, {1, 2}}}));
  const auto checkpoint = Checkpoint::open(files);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  ASSERT_NE(checkpoint->find("a"), nullptr);
  EXPECT_EQ(checkpoint->find("b"), nullptr);
}

TEST(Checkpoint, ReadsTheShardsOfAnIndex) {
  MemoryFiles files;
  files.add("one.safetensors", safetensors_of({{"a", {2}, {1, 2}}, {"unused", {1}, {9}}}));
  files.add("two.safetensors", safetensors_of({{"b", {1}, {3}}}));
  files.add("model.safetensors.index.json",
            R"({"metadata": {}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  const auto checkpoint = Checkpoint::open(files);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_EQ(checkpoint->size(), 2U);
  EXPECT_EQ(*to_floats(checkpoint->find("b")->view), (std::vector<float>{3}));
}

TEST(Checkpoint, NamesWhatIsWrongWithAnIndex) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"weight_map": 1})", "no object 'weight_map'"},
      {R"({"weight_map": {"a": 1}})", "the file of tensor 'a' is no text"},
      {R"({"weight_map": {"a": "../one.safetensors"}})", "no name of a file beside it"},
      {R"({"weight_map": {"a": "..\\one.safetensors"}})", "no name of a file beside it"},
      {R"({"weight_map": {"a": ""}})", "no name of a file beside it"},
      {R"({"weight_map": {"z": "one.safetensors"}})", "tensor 'z' is not in one.safetensors"},
      {R"({"weight_map": {"a": "three.safetensors"}})", "three.safetensors"},
  };
  for (const auto& [index, reason] : cases) {
    MemoryFiles files;
    files.add("one.safetensors", safetensors_of({{"a", {1}, {1}}}));
    files.add("model.safetensors.index.json", index);
    const auto checkpoint = Checkpoint::open(files);
    ASSERT_FALSE(checkpoint) << index;
    EXPECT_THAT(checkpoint.error().message, testing::HasSubstr(reason)) << index;
  }
  MemoryFiles none;
  EXPECT_EQ(Checkpoint::open(none).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace shoal::import
