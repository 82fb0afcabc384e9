#include "server/models/package_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "server/models/read_file.hpp"
#include "tests/server/models/models_for_test.hpp"

namespace shoal::models {
namespace {

namespace fs = std::filesystem;

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

TEST(PackageFolder, AVersionAppearsWholeByItsName) {
  const TempFolder temp;
  const fs::path repository = temp.path() / "models";
  auto folder = PackageFolder::create(repository, "m", 3).value();
  const auto name = folder->write(as_bytes("abc"), ".weights");
  ASSERT_TRUE(name);
  EXPECT_EQ(*name, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  ASSERT_TRUE(folder->put("package.json", "{}"));
  EXPECT_FALSE(fs::exists(repository / "m"));
  ASSERT_TRUE(folder->keep());
  EXPECT_EQ(folder->path(), repository / "m/3");
  folder.reset();
  EXPECT_EQ(names_in(repository), (std::set<std::string>{"m"}));
  EXPECT_EQ(names_in(repository / "m/3"), (std::set<std::string>{*name + ".weights", "package.json"}));
  EXPECT_EQ(*read_file(repository / "m/3" / (*name + ".weights"), 100), "abc");
}

TEST(PackageFolder, WhatIsNotKeptLeavesNothing) {
  const TempFolder temp;
  auto folder = PackageFolder::create(temp.path() / "models", "m", 1).value();
  ASSERT_TRUE(folder->write(as_bytes("abc"), ".weights"));
  folder.reset();
  EXPECT_TRUE(names_in(temp.path() / "models").empty());
}

TEST(PackageFolder, FilesAreAddedToAFolderOrTakenBack) {
  const TempFolder temp;
  temp.write("m/1/package.json", "old");
  auto folder = PackageFolder::open(temp.path() / "m/1").value();
  const auto first = *folder->write(as_bytes("first"), ".weights");
  ASSERT_TRUE(folder->put("package.json", "new"));
  ASSERT_TRUE(folder->keep());
  folder = PackageFolder::open(temp.path() / "m/1").value();
  ASSERT_TRUE(folder->write(as_bytes("first"), ".weights"));
  ASSERT_TRUE(folder->write(as_bytes("second"), ".weights"));
  EXPECT_EQ(names_in(temp.path() / "m/1").size(), 3U);
  folder.reset();
  // What was there before stays, even though it was asked for again.
  EXPECT_EQ(names_in(temp.path() / "m/1"), (std::set<std::string>{first + ".weights", "package.json"}));
  EXPECT_EQ(*read_file(temp.path() / "m/1/package.json", 100), "new");
}

TEST(PackageFolder, AVersionThatAppearedMeanwhileIsNotTouched) {
  const TempFolder temp;
  auto folder = PackageFolder::create(temp.path(), "m", 1).value();
  ASSERT_TRUE(folder->put("package.json", "mine"));
  temp.write("m/1/package.json", "theirs");
  EXPECT_THAT(folder->keep().error().message, testing::HasSubstr("is there already"));
  folder.reset();
  EXPECT_EQ(*read_file(temp.path() / "m/1/package.json", 100), "theirs");
}

TEST(PackageFolder, AFolderThatCannotBeWrittenIsSaid) {
  const TempFolder temp;
  temp.write("file", "x");
  EXPECT_EQ(PackageFolder::create(temp.path() / "file", "m", 1).error().code, Code::kInternal);
  const auto folder = PackageFolder::open(temp.path() / "nowhere").value();
  EXPECT_THAT(folder->write(as_bytes("abc"), ".weights").error().message, testing::HasSubstr("cannot write"));
}

}  // namespace
}  // namespace shoal::models
