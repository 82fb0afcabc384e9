#include "server/fetch/hub_listing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace shoal::fetch {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;

const std::string kCommit(40, 'a');

Json sibling(const std::string& name, std::uint64_t size, bool is_large = false) {
  Json out = {{"rfilename", name}, {"size", size}};
  if (is_large) {
    out["lfs"] = {{"size", size}, {"sha256", std::string(64, 'b')}};
  }
  return out;
}

Result<HubListing> listing_of(const Json& siblings) {
  return read_listing(Json{{"sha", kCommit}, {"siblings", siblings}}.dump());
}

std::vector<std::string> taken(const Json& siblings, const std::string& file = {}) {
  const auto listing = listing_of(siblings);
  EXPECT_TRUE(listing);
  const auto files = files_of_model(*listing, {.repository = "o/n", .file = file});
  std::vector<std::string> out;
  if (!files) {
    return {files.error().message};
  }
  for (const HubFile& one : *files) {
    out.push_back(one.name);
  }
  return out;
}

TEST(HubListing, FilesHaveSizesAndChecksums) {
  const auto listing =
      listing_of({sibling("config.json", 10), sibling("model.safetensors", 1ULL << 40, true), sibling("../x", 5)});
  ASSERT_TRUE(listing) << listing.error().message;
  EXPECT_EQ(listing->commit, kCommit);
  ASSERT_EQ(listing->files.size(), 2U) << "a name that leads elsewhere is left out";
  EXPECT_EQ(listing->files[0].sha256, "");
  EXPECT_EQ(listing->files[1].bytes, 1ULL << 40);
  EXPECT_EQ(listing->files[1].sha256, std::string(64, 'b'));
}

TEST(HubListing, WhatIsNoneIsToldByItsField) {
  const auto refused = [](const std::string& text, std::string_view field) {
    const auto listing = read_listing(text);
    ASSERT_FALSE(listing) << text;
    EXPECT_EQ(listing.error().code, Code::kUnavailable);
    EXPECT_TRUE(listing.error().message.contains(field)) << listing.error().message;
  };
  refused("", "sha");
  refused("[]", "sha");
  refused(R"({"sha": "main"})", "sha");
  refused(Json{{"sha", kCommit}}.dump(), "siblings");
  refused(Json{{"sha", kCommit}, {"siblings", Json::array({{{"rfilename", 3}}})}}.dump(), "rfilename");
  refused(Json{{"sha", kCommit}, {"siblings", Json::array({{{"rfilename", "a"}, {"size", -1}}})}}.dump(), "size");
  refused(
      Json{{"sha", kCommit}, {"siblings", Json::array({{{"rfilename", "a"}, {"lfs", {{"size", 1}, {"sha256", "x"}}}}})}}
          .dump(),
      "sha256");
}

TEST(HubListing, AModelsFiles) {
  const Json common = {sibling("README.md", 1),         sibling("config.json", 1),     sibling("tokenizer.json", 1),
                       sibling("pytorch_model.bin", 9), sibling("onnx/model.onnx", 9), sibling("other.safetensors", 9)};
  Json whole = common;
  whole.push_back(sibling("model.safetensors", 9, true));
  EXPECT_THAT(taken(whole), ElementsAre("README.md", "config.json", "tokenizer.json", "model.safetensors"));
  Json shards = common;
  for (const char* name :
       {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}) {
    shards.push_back(sibling(name, 9));
  }
  EXPECT_THAT(taken(shards),
              ElementsAre("README.md", "config.json", "tokenizer.json", "model-00001-of-00002.safetensors",
                          "model-00002-of-00002.safetensors", "model.safetensors.index.json"));
  EXPECT_THAT(taken({sibling("README.md", 1), sibling("m.gguf", 9)}), ElementsAre("m.gguf"));
  EXPECT_THAT(taken({sibling("a.gguf", 1), sibling("b.gguf", 9)}, "b.gguf"), ElementsAre("b.gguf"));
}

TEST(HubListing, AChoiceIsLeftToPeople) {
  EXPECT_THAT(taken({sibling("a.gguf", 1), sibling("b.gguf", 9)}), ElementsAre(testing::HasSubstr("hf:o/n/a.gguf")));
  EXPECT_THAT(taken(Json::array({sibling("pytorch_model.bin", 1)})), ElementsAre(testing::HasSubstr("neither")));
  EXPECT_THAT(taken(Json::array({sibling("a.gguf", 1)}), "c.gguf"),
              ElementsAre(testing::HasSubstr("no file 'c.gguf'")));
}

}  // namespace
}  // namespace shoal::fetch
