#include "engine/import/config.hpp"

#include <gmock/gmock.h>

namespace shoal::import {
namespace {

constexpr std::string_view kText = R"({"model_type": "llama", "layers": 2, "eps": 1e-5, "tie": true, "none": null,
  "rope_scaling": {"factor": 8.0, "rope_type": "llama3"}, "eos": [1, 2], "bos": 0, "architectures": ["A", "B"],
  "half": 0.5, "negative": -1, "huge": 1e300})";

TEST(Config, ReadsByNameAndType) {
  auto config = Config::parse(kText);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->text("model_type", ""), "llama");
  EXPECT_EQ(config->count("layers"), 2U);
  EXPECT_EQ(config->count("missing", 7), 7U);
  EXPECT_FLOAT_EQ(config->number("eps"), 1e-5F);
  EXPECT_TRUE(config->flag("tie", false));
  EXPECT_FALSE(config->flag("none", false));
  EXPECT_FALSE(config->has("none"));
  EXPECT_FLOAT_EQ(config->number("rope_scaling.factor"), 8);
  EXPECT_FALSE(config->has("layers.factor"));
  EXPECT_EQ(config->ids("eos"), (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(config->ids("bos"), (std::vector<std::int32_t>{0}));
  EXPECT_EQ(config->words("architectures"), (std::vector<std::string>{"A", "B"}));
  EXPECT_TRUE(config->status());
}

TEST(Config, NamesTheKeyAndWhatWasExpected) {
  struct Case {
    const char* expected;
    void (*read)(Config&);
  };
  const Case cases[] = {
      {"'missing' is missing, expected a number", [](Config& c) { c.count("missing"); }},
      {"'half' is not a whole number", [](Config& c) { c.count("half"); }},
      {"'negative' is not a whole number", [](Config& c) { c.count("negative"); }},
      {"'huge' is not a whole number", [](Config& c) { c.count("huge"); }},
      {"'model_type' is not a number", [](Config& c) { c.number("model_type"); }},
      {"'layers' is not true or false", [](Config& c) { c.flag("layers", true); }},
      {"'layers' is not a text", [](Config& c) { c.text("layers", ""); }},
      {"'negative' is not a token id", [](Config& c) { c.ids("negative"); }},
      {"'eos' is not a list of texts", [](Config& c) { c.words("eos"); }},
  };
  for (const Case& one : cases) {
    auto config = Config::parse(kText);
    ASSERT_TRUE(config);
    one.read(*config);
    config->refuse("later", "something else");
    ASSERT_FALSE(config->status());
    EXPECT_EQ(config->status().error().code, Code::kInvalidArgument);
    EXPECT_THAT(config->status().error().message, testing::HasSubstr(one.expected));
  }
}

TEST(Config, RefusesWhatIsNoObjectAndWhatIsTooDeep) {
  EXPECT_FALSE(Config::parse(""));
  EXPECT_FALSE(Config::parse("[1]"));
  EXPECT_FALSE(Config::parse(R"({"a": )"));
  EXPECT_FALSE(Config::parse(R"({"a": )" + std::string(100'000, '[')));
  EXPECT_FALSE(Config::parse(std::string(kMaxConfigBytes + 1, ' ')));
  EXPECT_TRUE(Config::parse(R"({"brackets in a text": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["})"));
}

}  // namespace
}  // namespace shoal::import
