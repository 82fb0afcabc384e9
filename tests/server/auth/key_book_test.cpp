#include "server/auth/key_book.hpp"

#include <gtest/gtest.h>

#include "server/auth/key_file.hpp"

namespace shoal::auth {
namespace {

using namespace std::chrono_literals;

const WallTime kNow{1'800'000'000'000ms};

TEST(KeyBookTest, AKeyIsFoundByItsSecretUntilItEnds) {
  KeyBook book;
  ASSERT_TRUE(book.create({.name = "ci", .scopes = {Scope::kInfer}, .lifetime = 10s}, "a", "secret-a", kNow));
  ASSERT_TRUE(book.create({.name = "ops", .scopes = {Scope::kAdmin}}, "b", "secret-b", kNow));
  EXPECT_EQ((*book.find("secret-a", kNow))->spec.name, "ci");
  EXPECT_EQ((*book.find("secret-b", kNow + 20s))->id, "b");
  EXPECT_EQ(book.find("secret", kNow).error().code, Code::kUnauthenticated);
  EXPECT_NE(book.find("secret-a", kNow + 10s).error().message.find("'ci' is expired"), std::string::npos);
  ASSERT_TRUE(book.revoke("b", kNow + 1s));
  EXPECT_NE(book.find("secret-b", kNow + 2s).error().message.find("revoked"), std::string::npos);
  EXPECT_EQ(book.revoke("c", kNow).error().code, Code::kNotFound);
}

TEST(KeyBookTest, WhatMakesNoSenseIsRefusedByItsField) {
  KeyBook book;
  EXPECT_EQ(book.create({.name = ""}, "a", "s", kNow).error().param, "name");
  EXPECT_EQ(book.create({.name = std::string(101, 'x')}, "a", "s", kNow).error().param, "name");
  EXPECT_EQ(book.create({.name = "x", .scopes = {}}, "a", "s", kNow).error().param, "scopes");
  EXPECT_EQ(book.create({.name = "x", .scopes = {Scope::kPublic}}, "a", "s", kNow).error().param, "scopes");
  EXPECT_EQ(book.create({.name = "x", .lifetime = 0s}, "a", "s", kNow).error().param, "lifetime");
  EXPECT_EQ(book.create({.name = "x", .requests_per_second = -1}, "a", "s", kNow).error().param, "requests_per_second");
  EXPECT_EQ(book.create({.name = "x", .requests_per_second = 1, .burst = 0.5}, "a", "s", kNow).error().param, "burst");
  EXPECT_EQ(book.create({.name = "x", .burst = 5}, "a", "s", kNow).error().param, "burst");
  EXPECT_TRUE(book.keys().empty());
}

TEST(KeyBookTest, IsBoundedAndTheEndedMakeRoom) {
  KeyBook book;
  for (std::size_t index = 0; index < KeyBook::kMaxKeys; ++index) {
    ASSERT_TRUE(book.create({.name = "x"}, std::to_string(index), "secret " + std::to_string(index), kNow));
  }
  EXPECT_EQ(book.create({.name = "x"}, "more", "s", kNow).error().code, Code::kResourceLimit);
  ASSERT_TRUE(book.revoke("7", kNow));
  ASSERT_TRUE(book.create({.name = "x"}, "more", "s", kNow));
  EXPECT_EQ(book.revoke("7", kNow).error().code, Code::kNotFound);
}

TEST(KeyFileTest, HoldsEverythingButTheSecret) {
  KeyBook book;
  ASSERT_TRUE(book.create({.name = "ci",
                           .scopes = {Scope::kInfer, Scope::kMetrics},
                           .lifetime = 10s,
                           .requests_per_second = 2.5,
                           .burst = 7},
                          "a", "the-secret", kNow));
  ASSERT_TRUE(book.create({.name = "old"}, "b", "another", kNow));
  ASSERT_TRUE(book.revoke("b", kNow + 1s));
  const std::string text = to_json(book);
  EXPECT_EQ(text.find("the-secret"), std::string::npos);
  const auto again = from_json(text);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_json(*again), text);
  EXPECT_EQ((*again->find("the-secret", kNow))->spec.burst, 7);
  EXPECT_EQ((*again->find("the-secret", kNow))->spec.scopes, (std::vector{Scope::kInfer, Scope::kMetrics}));
}

TEST(KeyFileTest, ADamagedFileIsNamed) {
  for (const char* text : {"", "{", R"({"version": 2, "keys": []})", R"({"version": 1, "keys": [{}]})",
                           R"({"version": 1, "keys": [{"id": "a", "name": "x", "scopes": ["public"]}]})"}) {
    const auto book = from_json(text);
    ASSERT_FALSE(book) << text;
    EXPECT_EQ(book.error().code, Code::kInvalidArgument);
    EXPECT_FALSE(book.error().message.empty());
  }
}

}  // namespace
}  // namespace shoal::auth
