#include "server/join/token_book.hpp"

#include <gtest/gtest.h>

namespace shoal::join {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kNow{std::chrono::milliseconds(1'800'000'000'000)};
constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";

TokenSpec one_time() { return {.name = "phone", .backends = {Backend::kWasm}, .lifetime = 60s}; }
TokenSpec long_lived(std::uint32_t devices) {
  return {.name = "kiosks", .is_one_time = false, .lifetime = 1h, .max_devices = devices};
}

struct Book : TokenBook {
  Result<Admission> join(std::string_view key = "", std::string_view fresh = "new", WallTime now = kNow,
                         std::string_view secret = kSecret) {
    return admit(secret, key, fresh, now);
  }
};

TEST(TokenBookTest, KeepsNoSecret) {
  Book book;
  const auto made = book.create(one_time(), "t1", kSecret, kNow);
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)->secret_sha256.size(), 64U);
  EXPECT_NE((*made)->secret_sha256, kSecret);
  EXPECT_EQ((*made)->expires, kNow + 60s);
}

TEST(TokenBookTest, OneTimeIsForOneDevice) {
  Book book;
  ASSERT_TRUE(book.create(one_time(), "t1", kSecret, kNow));
  const auto first = book.join("", "key");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(first->is_new);
  EXPECT_EQ(first->number, 0U);
  EXPECT_EQ(first->tier, Tier::kUntrusted);
  EXPECT_EQ(first->backends, std::vector{Backend::kWasm});
  EXPECT_EQ(book.state("t1", kNow), TokenState::kUsed);
  // Whoever has read the URL later gets nothing, while the device is in and after it has left.
  EXPECT_EQ(book.join("", "other").error().code, Code::kInvalidArgument);
  book.left("t1", 0);
  EXPECT_EQ(book.join("", "other").error().code, Code::kInvalidArgument);
  EXPECT_EQ(book.join("guess", "other").error().code, Code::kInvalidArgument);
  const auto back = book.join("key", "unused");
  ASSERT_TRUE(back);
  EXPECT_FALSE(back->is_new);
  EXPECT_EQ(back->number, 0U);
}

TEST(TokenBookTest, ADeviceIsConnectedOnce) {
  Book book;
  ASSERT_TRUE(book.create(long_lived(2), "t1", kSecret, kNow));
  ASSERT_TRUE(book.join("", "a"));
  EXPECT_EQ(book.join("a").error().code, Code::kOverloaded);
}

TEST(TokenBookTest, QuotaOfConnectedDevices) {
  Book book;
  ASSERT_TRUE(book.create(long_lived(2), "t1", kSecret, kNow));
  ASSERT_TRUE(book.join("", "a"));
  ASSERT_TRUE(book.join("", "b"));
  EXPECT_EQ(book.join("", "c").error().code, Code::kOverloaded);
  book.left("t1", 0);
  const auto third = book.join("", "c");
  ASSERT_TRUE(third);
  EXPECT_EQ(third->number, 2U) << "the number of a device that may come back is not given away";
  book.left("t1", 1);
  EXPECT_EQ(book.join("a")->number, 0U);
}

TEST(TokenBookTest, NumbersAreUniqueAcrossTokens) {
  Book book;
  ASSERT_TRUE(book.create(one_time(), "t1", kSecret, kNow));
  ASSERT_TRUE(book.create(one_time(), "t2", "another secret", kNow));
  EXPECT_EQ(book.join()->number, 0U);
  EXPECT_EQ(book.join("", "b", kNow, "another secret")->number, 1U);
}

TEST(TokenBookTest, ExpiryRevocationAndWrongSecrets) {
  Book book;
  ASSERT_TRUE(book.create(long_lived(8), "t1", kSecret, kNow));
  EXPECT_TRUE(book.join("", "a", kNow + 1h - 1ms));
  EXPECT_EQ(book.join("", "b", kNow + 1h).error().message, "the token is expired");
  EXPECT_EQ(book.join("a", "b", kNow + 1h).error().code, Code::kInvalidArgument) << "a known device neither";
  ASSERT_TRUE(book.revoke("t1", kNow + 1s));
  EXPECT_EQ(book.join().error().message, "the token is revoked");
  EXPECT_EQ(book.revoke("t9", kNow).error().code, Code::kNotFound);
  for (const std::string_view wrong : {"", "0", "0123456789abcdef0123456789abcdeF"}) {
    EXPECT_EQ(book.join("", "c", kNow, wrong).error().message, "the token is wrong");
  }
}

TEST(TokenBookTest, RunsAreBounded) {
  Book book;
  TokenSpec spec = long_lived(2);
  spec.max_runs = 10;
  ASSERT_TRUE(book.create(spec, "t1", kSecret, kNow));
  ASSERT_TRUE(book.join("", "a"));
  book.count_runs("t1", 9);
  EXPECT_EQ(book.state("t1", kNow), TokenState::kUsable);
  book.count_runs("t1", 1);
  EXPECT_EQ(book.state("t1", kNow), TokenState::kSpent);
  EXPECT_EQ(book.join("", "b").error().code, Code::kInvalidArgument);
}

TEST(TokenBookTest, QuarantineKeepsOneDeviceOut) {
  Book book;
  ASSERT_TRUE(book.create(long_lived(2), "t1", kSecret, kNow));
  ASSERT_TRUE(book.join("", "liar"));
  ASSERT_TRUE(book.join("", "honest"));
  book.quarantine("t1", 0, "it lied");
  book.left("t1", 0);
  book.left("t1", 1);
  EXPECT_EQ(book.join("liar").error().message, "this device is in quarantine: it lied");
  EXPECT_TRUE(book.join("honest"));
}

TEST(TokenBookTest, WhatItRemembersIsBounded) {
  Book book;
  ASSERT_TRUE(book.create(long_lived(1), "t1", kSecret, kNow));
  for (int device = 0; device < 300; ++device) {
    const auto joined = book.join("", std::to_string(device));
    ASSERT_TRUE(joined) << joined.error().message;
    book.left("t1", joined->number);
  }
  EXPECT_EQ(book.tokens()[0].devices.size(), TokenBook::kMaxKnownDevices);
  EXPECT_FALSE(book.join("299")->is_new);
  for (std::size_t count = 1; count < TokenBook::kMaxTokens; ++count) {
    ASSERT_TRUE(book.create(long_lived(1), "x" + std::to_string(count), std::to_string(count), kNow));
  }
  EXPECT_EQ(book.create(long_lived(1), "y", "y", kNow).error().code, Code::kResourceLimit);
  ASSERT_TRUE(book.revoke("x7", kNow));
  EXPECT_TRUE(book.create(long_lived(1), "y", "y", kNow)) << "one that has ended makes room";
}

TEST(TokenBookTest, BadFieldsAreNamed) {
  Book book;
  const auto field = [&](TokenSpec spec) {
    const auto made = book.create(std::move(spec), "t", kSecret, kNow);
    return made ? std::string("accepted") : made.error().param;
  };
  EXPECT_EQ(field({.name = ""}), "name");
  EXPECT_EQ(field({.name = std::string(101, 'x')}), "name");
  EXPECT_EQ(field({.name = "x", .backends = {}}), "backends");
  EXPECT_EQ(field({.name = "x", .lifetime = 0s}), "expires_seconds");
  EXPECT_EQ(field({.name = "x", .lifetime = 24h * 367}), "expires_seconds");
  EXPECT_EQ(field({.name = "x", .max_devices = 2}), "max_devices");
  EXPECT_EQ(field({.name = "x", .is_one_time = false, .max_devices = 65}), "max_devices");
  EXPECT_EQ(field({.name = "x"}), "accepted");
}

}  // namespace
}  // namespace shoal::join
