#include "server/app/mapped_folder.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace shoal::app {
namespace {

TEST(MappedFolder, MapsFilesOnceAndSaysWhatIsNotThere) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "mapped_folder_test";
  std::filesystem::create_directories(path);
  std::ofstream(path / "file") << "text";
  std::ofstream(path / "empty").flush();
  MappedFolder folder(path);
  const auto bytes = folder.read("file");
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_EQ(as_text(*bytes), "text");
  EXPECT_EQ(folder.read("file")->data(), bytes->data());
  EXPECT_EQ(folder.read("missing").error().code, Code::kNotFound);
  EXPECT_EQ(folder.read("../file").error().code, Code::kInvalidArgument);
  EXPECT_EQ(folder.read("empty").error().code, Code::kInternal);
  EXPECT_EQ(MappedFolder(path / "file").read("inside").error().code, Code::kNotFound);
  std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace shoal::app
