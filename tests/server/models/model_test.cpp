#include "server/models/model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal::models {
namespace {

using testing::HasSubstr;

ModelPtr version(std::int64_t number, bool is_ready) {
  auto model = std::make_shared<ModelVersion>();
  model->name = "m";
  model->version = number;
  model->state = is_ready ? ModelState::kReady : ModelState::kUnavailable;
  model->load_error = {Code::kInvalidArgument, "the file is damaged", ""};
  return model;
}

Snapshot snapshot() {
  Snapshot out;
  out.models["m"] = {{1, version(1, true)}, {2, version(2, true)}, {3, version(3, false)}};
  out.models["bad"] = {{1, version(1, false)}};
  return out;
}

TEST(Snapshot, FindsTheHighestReadyVersionOrTheOneAskedFor) {
  EXPECT_EQ((*snapshot().find("m"))->version, 2);
  EXPECT_EQ((*snapshot().find("m", ""))->version, 2);
  EXPECT_EQ((*snapshot().find("m", "1"))->version, 1);
}

TEST(Snapshot, RefusesInTritonsWords) {
  const auto message = [](std::string_view name, std::string_view number) {
    const auto found = snapshot().find(name, number);
    return found ? std::string("found") : std::string(code_name(found.error().code)) + ": " + found.error().message;
  };
  EXPECT_EQ(message("foo", ""), "NOT_FOUND: Request for unknown model: 'foo' is not found");
  EXPECT_EQ(message("foo", "99"), "NOT_FOUND: Request for unknown model: 'foo' version 99 is not found");
  EXPECT_EQ(message("m", "99"), "NOT_FOUND: Request for unknown model: 'm' version 99 is not found");
  EXPECT_THAT(message("m", "3"),
              HasSubstr("UNAVAILABLE: Request for unknown model: 'm' version 3 is not at ready state"));
  EXPECT_THAT(message("bad", ""), HasSubstr("the file is damaged"));
  EXPECT_THAT(message("m", "abc"), HasSubstr("failed to get model version from specified version string 'abc'"));
  EXPECT_THAT(message("m", "1.5"), HasSubstr("INVALID_ARGUMENT"));
  EXPECT_THAT(message("m", "99999999999999999999"), HasSubstr("INVALID_ARGUMENT"));
  EXPECT_THAT(message("m", "-1"), HasSubstr("invalid model version specified"));
  EXPECT_THAT(message("m", "0"), HasSubstr("invalid model version specified"));
  EXPECT_LT(message(std::string(100'000, 'x'), "").size(), 500U);
}

TEST(ModelName, HasRules) {
  for (const char* name : {"a", "all-MiniLM-L6-v2", "m.1", "m_2", "\xC3\xA9t\xC3\xA9", "two words"}) {
    EXPECT_TRUE(check_model_name(name)) << name;
  }
  for (const std::string& name :
       {std::string(), std::string("  "), std::string("."), std::string(".."), std::string("a/b"), std::string("..\\a"),
        std::string("a..b"), std::string(".git"), std::string("a\nb"), std::string("a\0b", 3), std::string(129, 'a')}) {
    EXPECT_FALSE(check_model_name(name)) << name;
  }
}

TEST(Snapshot, BeforeTheFirstScanEveryModelIsUnavailable) {
  Snapshot snapshot;
  snapshot.is_read = false;
  EXPECT_EQ(snapshot.find("m", std::string_view("")).error().code, Code::kUnavailable);
  snapshot.is_read = true;
  EXPECT_EQ(snapshot.find("m", std::string_view("")).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace shoal::models
