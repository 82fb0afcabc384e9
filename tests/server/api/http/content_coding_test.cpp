// gzip and deflate: which one a client likes, and what damaged and hostile bodies get.
#include "server/api/http/content_coding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>
#include <vector>

namespace shoal::api::http {
namespace {

using testing::HasSubstr;

std::string digits(std::size_t size) {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < size) {
    text += std::to_string(random()) + ",";
  }
  text.resize(size);
  return text;
}

// What the body is, read in steps of `count`; or the error.
Result<std::string> plain_of(Coding coding, const std::string& body, std::size_t count = 1000) {
  Inflater inflater(coding, body);
  std::string out;
  for (;;) {
    const std::size_t before = out.size();
    const auto done = inflater.append(out, count);
    if (!done) {
      return fail(done.error());
    }
    EXPECT_LE(out.size(), before + count);
    if (*done) {
      return out;
    }
  }
}

TEST(ContentCoding, KnowsItsNames) {
  EXPECT_EQ(coding_of(""), Coding::kIdentity);
  EXPECT_EQ(coding_of("Identity"), Coding::kIdentity);
  EXPECT_EQ(coding_of(" GZip\t"), Coding::kGzip);
  EXPECT_EQ(coding_of("x-gzip"), Coding::kGzip);
  EXPECT_EQ(coding_of("deflate"), Coding::kDeflate);
  for (const char* name : {"br", "zstd", "gzip, gzip", "gzip;q=1", "gzipp", "\xff"}) {
    EXPECT_EQ(coding_of(name), std::nullopt) << name;
  }
}

TEST(ContentCoding, FollowsTheClientsWeights) {
  const std::vector<std::tuple<const char*, Coding>> cases = {
      {"", Coding::kIdentity},
      {"identity", Coding::kIdentity},
      {"br, zstd", Coding::kIdentity},
      {"gzip", Coding::kGzip},
      {"deflate", Coding::kDeflate},
      {"deflate, gzip, br, zstd", Coding::kGzip},
      {"gzip;q=0.5, deflate;q=0.8", Coding::kDeflate},
      {"GZIP ; Q=0.001", Coding::kGzip},
      {"gzip;q=0", Coding::kIdentity},
      {"gzip;q=0.000, deflate;q=0", Coding::kIdentity},
      {"*", Coding::kGzip},
      {"gzip;q=0, *", Coding::kDeflate},
      {"*;q=0", Coding::kIdentity},
      {"identity, gzip;q=0.5", Coding::kIdentity},
      {"identity;q=0.5, gzip;q=0.5", Coding::kGzip},
      {"identity;q=0.1, gzip;q=0.2", Coding::kGzip},
      // No weights: that element asks for nothing.
      {"gzip;q=2", Coding::kIdentity},
      {"gzip;q=-1", Coding::kIdentity},
      {"gzip;q=nan", Coding::kIdentity},
      {"gzip;q=", Coding::kIdentity},
      {"gzip;q=0.5x, deflate", Coding::kDeflate},
      {",;,;;q=1,", Coding::kIdentity},
  };
  for (const auto& [header, coding] : cases) {
    EXPECT_EQ(coding_name(preferred_coding(header)), coding_name(coding)) << header;
  }
}

class EachCoding : public testing::TestWithParam<Coding> {};
INSTANTIATE_TEST_SUITE_P(All, EachCoding, testing::Values(Coding::kGzip, Coding::kDeflate),
                         [](const auto& info) { return std::string(coding_name(info.param)); });

TEST_P(EachCoding, GivesBackWhatItTook) {
  for (const std::size_t size : {1000UZ, 4096UZ, 300'000UZ}) {
    const std::string text = digits(size);
    const auto body = compressed(GetParam(), text);
    ASSERT_TRUE(body);
    EXPECT_LT(body->size(), size * 7 / 10);
    for (const std::size_t count : {1UZ, 1000UZ, size, size + 1}) {
      EXPECT_EQ(plain_of(GetParam(), *body, count), text) << size << " " << count;
    }
  }
}

TEST_P(EachCoding, LeavesWhatWouldNotBecomeSmaller) {
  std::mt19937 random(7);
  std::string noise(5000, '\0');
  std::ranges::generate(noise, [&] { return static_cast<char>(random()); });
  EXPECT_EQ(compressed(GetParam(), noise), std::nullopt);
  EXPECT_EQ(compressed(GetParam(), ""), std::nullopt);
}

TEST_P(EachCoding, RefusesEveryBodyThatIsCutOff) {
  const std::string body = *compressed(GetParam(), digits(500));
  for (std::size_t size = 0; size < body.size(); ++size) {
    const auto plain = plain_of(GetParam(), body.substr(0, size));
    ASSERT_FALSE(plain) << size;
    EXPECT_EQ(plain.error().code, Code::kInvalidArgument);
    EXPECT_EQ(plain.error().param, "Content-Encoding");
    EXPECT_THAT(plain.error().message, HasSubstr("cut off"));
  }
}

TEST_P(EachCoding, RefusesWhatFollowsTheEnd) {
  const std::string body = *compressed(GetParam(), digits(500));
  EXPECT_THAT(plain_of(GetParam(), body + "xy").error().message, HasSubstr("2 bytes follow"));
  EXPECT_FALSE(plain_of(GetParam(), body + body));
}

TEST_P(EachCoding, RefusesEveryDamagedByteOrIsRightAnyway) {
  const std::string text = digits(500);
  const std::string body = *compressed(GetParam(), text);
  std::size_t refused = 0;
  for (std::size_t index = 0; index < body.size(); ++index) {
    std::string damaged = body;
    damaged[index] = static_cast<char>(damaged[index] ^ 0x10);
    const auto plain = plain_of(GetParam(), damaged);
    refused += plain ? 0 : 1;
    EXPECT_TRUE(!plain || *plain == text) << index;
  }
  // Nothing depends on the time and the system in the header of gzip, nor on the bits that fill the last byte.
  EXPECT_GE(refused, body.size() - 7);
}

TEST_P(EachCoding, TakesOnlyItsOwnFormat) {
  const Coding other = GetParam() == Coding::kGzip ? Coding::kDeflate : Coding::kGzip;
  EXPECT_THAT(plain_of(GetParam(), *compressed(other, digits(500))).error().message,
              HasSubstr("the body is not " + std::string(coding_name(GetParam()))));
  EXPECT_FALSE(plain_of(GetParam(), R"({"inputs":[]})"));
  EXPECT_FALSE(plain_of(GetParam(), std::string(100, '\0')));
}

// A thousandfold growth: what has been written is at each step what was asked for.
TEST_P(EachCoding, GrowsNoFasterThanItIsAsked) {
  const std::string bomb = *compressed(GetParam(), std::string(std::size_t{32} << 20, '\0'));
  ASSERT_LT(bomb.size(), 300'000U);
  Inflater inflater(GetParam(), bomb);
  std::string out;
  for (std::size_t step = 1; step <= 4; ++step) {
    EXPECT_EQ(inflater.append(out, 10'000), false);
    EXPECT_EQ(out.size(), step * 10'000);
    EXPECT_LT(out.capacity(), 100'000U);
  }
}

}  // namespace
}  // namespace shoal::api::http
