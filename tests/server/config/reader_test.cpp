#include "server/config/reader.hpp"

#include <gtest/gtest.h>

#include "server/config/value.hpp"

namespace shoal::config {
namespace {

class ReaderTest : public testing::Test {
 protected:
  ReaderTest() {
    schema.add({"server.http_port", "8000", "0 to 65535", "port", into_port(port)});
    schema.add({"pool.adapter", "auto", "auto, hardware, software", "adapter",
                into_choice(adapter, {"auto", "hardware", "software"})});
    schema.add({"pool.browsers", "", "list", "browsers", into_text(browsers)});
    schema.add({"server.drain_timeout", "30s", "1s to 1h", "drain",
                into_duration(drain, std::chrono::seconds(1), std::chrono::hours(1))});
    schema.add({"server.max_body", "64MiB", "1 KiB to 1 GiB", "body", into_bytes(body, 1024, 1 << 30)});
  }
  Status read_text(const std::string& yaml) { return read(schema, {"shoal.yaml", yaml, {}, {}}); }

  Schema schema;
  std::uint16_t port = 0;
  std::string adapter, browsers;
  std::chrono::milliseconds drain{0};
  std::uint64_t body = 0;
};

TEST_F(ReaderTest, FlagWinsOverEnvironmentOverFileOverDefault) {
  ASSERT_TRUE(read_text(""));
  EXPECT_EQ(port, 8000);
  EXPECT_EQ(body, 64U << 20);
  Sources sources{"shoal.yaml", "server: {http_port: 1}\npool:\n  adapter: software\n", {{"PATH", "x"}}, {}};
  ASSERT_TRUE(read(schema, sources));
  EXPECT_EQ(port, 1);
  sources.environment["SHOAL_SERVER_HTTP_PORT"] = "2";
  ASSERT_TRUE(read(schema, sources));
  EXPECT_EQ(port, 2);
  sources.flags.emplace_back("server.http_port", "3");
  ASSERT_TRUE(read(schema, sources));
  EXPECT_EQ(port, 3);
  EXPECT_EQ(adapter, "software");
}

TEST_F(ReaderTest, UnknownKeyNamesFileKeyAndWhatIsAllowed) {
  EXPECT_EQ(read_text("server: {http_prt: 1}").error().message,
            "shoal.yaml: server.http_prt: unknown key; allowed here: drain_timeout, http_port, max_body");
  EXPECT_EQ(read_text("servr: {http_port: 1}").error().message,
            "shoal.yaml: servr.http_port: unknown key; allowed here: pool, server");
  EXPECT_NE(read(schema, {"", "", {{"SHOAL_SERVER_PORT", "1"}}, {}}).error().message.find("SHOAL_SERVER_PORT"),
            std::string::npos);
}

TEST_F(ReaderTest, WrongValuesSayWhatWasExpected) {
  EXPECT_EQ(read_text("server: {http_port: 70000}").error().message,
            "shoal.yaml: server.http_port: expected a whole number from 0 to 65535, got '70000'");
  EXPECT_EQ(read_text("pool: {adapter: fast}").error().message,
            "shoal.yaml: pool.adapter: expected one of auto, hardware, software, got 'fast'");
  EXPECT_FALSE(read_text("server: {drain_timeout: 30}"));
  EXPECT_FALSE(read_text("server: {drain_timeout: 2h}"));
  EXPECT_FALSE(read_text("server: {max_body: 99999999999999999999GiB}"));
}

TEST_F(ReaderTest, BrokenYamlNamesTheLine) {
  const Status status = read_text("server:\n  http_port: [1\n");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message.rfind("shoal.yaml:", 0), 0U);
  EXPECT_FALSE(read_text("- a\n- b\n"));
  EXPECT_FALSE(read_text("server: 5\n"));
}

TEST_F(ReaderTest, ListOfMapsBecomesOneText) {
  ASSERT_TRUE(
      read_text("pool:\n  browsers:\n    - {kind: headless_shell, count: 2, backends: [wasm, webgpu]}\n    - {kind: "
                "chromium}\n"));
  EXPECT_EQ(browsers, "kind=headless_shell,count=2,backends=wasm+webgpu;kind=chromium");
}

TEST_F(ReaderTest, ReferenceNamesEverySetting) {
  const std::string page = reference(schema);
  for (const char* text : {"`server.http_port`", "`--server-http-port`", "`SHOAL_SERVER_HTTP_PORT`", "`8000`"}) {
    EXPECT_NE(page.find(text), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace shoal::config
