#include "server/models/repository.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/model_config.pb.h"
#include "server/models/class_labels.hpp"
#include "tests/server/models/models_for_test.hpp"

namespace shoal::models {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class RepositoryTest : public testing::Test {
 protected:
  SnapshotPtr scan() {
    Repository repository({.root = folder_.path() / "models", .store = folder_.path() / "store"}, Log::discard());
    return snapshot_of(repository);
  }
  void model(const std::string& path, const onnx::ModelProto& proto = two_inputs()) {
    folder_.write("models/" + path + "/model.onnx", bytes_of(proto));
  }
  void config(const std::string& name, std::string_view text) {
    folder_.write("models/" + name + "/config.pbtxt", text);
  }
  std::string reason(const SnapshotPtr& snapshot, const std::string& name) {
    const auto found = snapshot->find(name);
    return found ? "found" : found.error().message;
  }

  TempFolder folder_;
};

TEST_F(RepositoryTest, ServesTheHighestVersionWithItsDigest) {
  model("m/1");
  model("m/2");
  model("m/10");
  folder_.write("models/m/notes/readme.txt", "x");
  const auto snapshot = scan();
  const auto found = snapshot->find("m");
  ASSERT_TRUE(found);
  EXPECT_EQ((*found)->version, 10);
  EXPECT_FALSE(snapshot->find("m", 2));
  EXPECT_EQ((*found)->graph.sha256.size(), 64U);
  EXPECT_EQ(snapshot->blob((*found)->graph.sha256)->path, folder_.path() / "models/m/10/model.onnx");
  EXPECT_EQ(snapshot->blob("0"), nullptr);
  EXPECT_EQ((*found)->max_batch_size, 32);
}

TEST_F(RepositoryTest, VersionPolicies) {
  for (const char* number : {"1", "2", "3"}) {
    model(std::string("m/") + number);
  }
  config("m", "version_policy { all {} }");
  EXPECT_EQ(scan()->models.at("m").size(), 3U);
  config("m", "version_policy { latest { num_versions: 2 } }");
  EXPECT_EQ(scan()->models.at("m").size(), 2U);
  config("m", "version_policy { specific { versions: [1, 7] } }");
  EXPECT_EQ((*scan()->find("m"))->version, 1);
  config("m", "version_policy { specific { versions: 7 } }");
  EXPECT_THAT(reason(scan(), "m"), HasSubstr("at least one version must be available"));
}

TEST_F(RepositoryTest, ABadModelIsThereWithItsReasonAndHidesNoOther) {
  model("good/1");
  folder_.write("models/garbage/1/model.onnx", std::string(5000, '\xA5'));
  folder_.write("models/empty/1/other.txt", "");
  folder_.write("models/nothing/readme.txt", "");
  model("unknown_key/1");
  config("unknown_key", "name: 'unknown_key'\nmax_bach_size: 2\n");
  model("other_name/1");
  config("other_name", "name: 'm'");
  model("b..d/1");
  const auto snapshot = scan();
  EXPECT_TRUE(snapshot->find("good"));
  EXPECT_THAT(reason(snapshot, "garbage"), HasSubstr("not a usable ONNX model"));
  EXPECT_THAT(reason(snapshot, "empty"), HasSubstr("model.onnx"));
  EXPECT_THAT(reason(snapshot, "nothing"), HasSubstr("at least one version"));
  EXPECT_THAT(reason(snapshot, "unknown_key"), HasSubstr("config.pbtxt:2:"));
  EXPECT_THAT(reason(snapshot, "other_name"), HasSubstr("name is 'm', its folder is 'other_name'"));
  EXPECT_THAT(reason(snapshot, "b..d"), HasSubstr("is not found"));
  EXPECT_EQ(snapshot->models.size(), 6U);
  EXPECT_EQ(snapshot->blobs.size(), 1U);
}

TEST_F(RepositoryTest, ExternalDataIsPartOfTheModelAndStaysInItsFolder) {
  const auto with_data = [](const std::string& location) {
    auto proto = two_inputs();
    auto& tensor = *proto.mutable_graph()->add_initializer();
    tensor.set_name("w");
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    auto& entry = *tensor.add_external_data();
    entry.set_key("location");
    entry.set_value(location);
    return proto;
  };
  model("m/1", with_data("weights/m.data"));
  EXPECT_THAT(reason(scan(), "m"), HasSubstr("weights/m.data"));
  folder_.write("models/m/1/weights/m.data", "weights");
  const auto snapshot = scan();
  const auto found = snapshot->find("m");
  ASSERT_TRUE(found);
  ASSERT_EQ((*found)->external.size(), 1U);
  EXPECT_EQ((*found)->external[0].location, "weights/m.data");
  EXPECT_EQ((*found)->external[0].blob.size, 7U);
  EXPECT_EQ(snapshot->blobs.size(), 2U);
  for (const char* location : {"../secret", "/etc/passwd", "a/../../b", ""}) {
    model("m/1", with_data(location));
    EXPECT_FALSE(scan()->find("m")) << location;
  }
}

TEST_F(RepositoryTest, DigestsAreKeptAndFollowTheFile) {
  model("m/1");
  const std::string before = (*scan()->find("m"))->graph.sha256;
  const auto store = folder_.path() / "store" / "digests.json";
  ASSERT_TRUE(std::filesystem::exists(store));
  // A planted digest shows that the second scan does not read the file again.
  std::ifstream in(store);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  text.replace(text.find(before), 64, std::string(64, 'a'));
  folder_.write("store/digests.json", text);
  EXPECT_EQ((*scan()->find("m"))->graph.sha256, std::string(64, 'a'));
  auto changed = two_inputs();
  changed.set_producer_name("another size");
  model("m/1", changed);
  EXPECT_NE((*scan()->find("m"))->graph.sha256, std::string(64, 'a'));
  for (const char* broken : {"", "{", "[]", R"({"x":1})", R"({"x":{"size":-1,"modified_ns":"a","sha256":3}})"}) {
    folder_.write("store/digests.json", broken);
    EXPECT_EQ((*scan()->find("m"))->graph.sha256.size(), 64U) << broken;
  }
}

TEST_F(RepositoryTest, LabelsAreALineEach) {
  model("m/1");
  const std::string output = (*scan()->find("m"))->outputs.front().name;
  config("m", "output { name: '" + output + "' label_filename: 'labels.txt' }");
  EXPECT_THAT(reason(scan(), "m"),
              AllOf(HasSubstr("output '" + output + "': label_filename"), HasSubstr("labels.txt")));
  folder_.write("models/m/labels.txt", "cat\r\n\na fish");
  EXPECT_THAT((*scan()->find("m"))->labels.at(output), testing::ElementsAre("cat", "", "a fish"));
  folder_.write("models/m/labels.txt", "cat\n");
  EXPECT_THAT((*scan()->find("m"))->labels.at(output), testing::ElementsAre("cat"));
  folder_.write("models/m/labels.txt", std::string(kMaxLabelBytes + 1, 'x'));
  EXPECT_THAT(reason(scan(), "m"), HasSubstr("more than 1048576 bytes"));
  for (const char* outside : {"../labels.txt", "1/labels.txt", ".."}) {
    config("m", "output { name: '" + output + "' label_filename: '" + outside + "' }");
    EXPECT_THAT(reason(scan(), "m"), HasSubstr("is not a plain file name"));
  }
}

TEST_F(RepositoryTest, AMissingRootIsAnError) {
  Repository repository({.root = folder_.path() / "none", .store = {}}, Log::discard());
  EXPECT_EQ(repository.names().error().code, Code::kNotFound);
}

}  // namespace
}  // namespace shoal::models
