#include "server/join/token_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace shoal::join {
namespace {

namespace fs = std::filesystem;

constexpr WallTime kNow{std::chrono::milliseconds(1'800'000'000'123)};

class TokenFileTest : public ::testing::Test {
 protected:
  fs::path folder = fs::temp_directory_path() / ("shoal-join-" + std::to_string(getpid()));
  fs::path file = folder / "join/tokens.json";
  ~TokenFileTest() override { fs::remove_all(folder); }
};

TEST_F(TokenFileTest, TokensAndDevicesComeBack) {
  TokenBook book;
  ASSERT_TRUE(book.create({.name = "a \"name\"", .backends = {Backend::kWebgpu}, .tier = Tier::kTrusted, .max_runs = 7},
                          "t1", "secret", kNow));
  ASSERT_TRUE(book.create({.name = "b", .is_one_time = false, .max_devices = 3}, "t2", "other", kNow));
  ASSERT_TRUE(book.admit("secret", "", "key", kNow));
  book.quarantine("t1", 0, "why");
  book.count_runs("t1", 3);
  ASSERT_TRUE(book.revoke("t2", kNow));
  ASSERT_TRUE(save(book, file));
  struct stat status{};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  std::ifstream stream(file);
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  EXPECT_FALSE(text.contains("\"secret\"")) << text;

  auto back = load(file);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(book));
  EXPECT_EQ(back->state("t2", kNow), TokenState::kRevoked);
  EXPECT_EQ(back->admit("secret", "key", "", kNow).error().message, "this device is in quarantine: why")
      << "and nobody is connected";
}

TEST_F(TokenFileTest, NoFileIsAnEmptyBookADamagedOneAnError) {
  EXPECT_TRUE(load(file)->tokens().empty());
  for (const char* text : {"", "{", "[]", R"({"version": 2, "tokens": []})", R"({"version": 1, "tokens": [{}]})",
                           R"({"version": 1, "tokens": [{"id": 1}]})"}) {
    EXPECT_EQ(from_json(text).error().code, Code::kInvalidArgument) << text;
  }
}

TEST_F(TokenFileTest, AFolderThatCannotBeWrittenIsTold) {
  std::ofstream(folder.string()) << "a file where the folder should be";
  const Status saved = save({}, file);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, Code::kInternal);
}

}  // namespace
}  // namespace shoal::join
