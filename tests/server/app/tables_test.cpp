#include "server/app/tables.hpp"

#include <gtest/gtest.h>

#include "server/app/admin_client.hpp"

namespace shoal::app {
namespace {

using nlohmann::ordered_json;

TEST(Table, AlignsColumnsWithoutSpacesAtTheEnd) {
  EXPECT_EQ(table({{"A", "LONG"}, {"wide", "b"}, {"x", ""}}), "A     LONG\nwide  b\nx\n");
  EXPECT_EQ(table({}), "");
}

TEST(BytesText, HasOneUnit) {
  EXPECT_EQ(bytes_text(0), "0");
  EXPECT_EQ(bytes_text(512), "512 B");
  EXPECT_EQ(bytes_text(17 << 20), "17 MiB");
  EXPECT_EQ(bytes_text(std::uint64_t{3} << 29), "1.5 GiB");
}

TEST(WorkersText, IsOneLineEach) {
  const auto list = ordered_json::parse(R"({"workers": [
    {"slot": "chromium/0", "state": "ready", "backends": ["wasm", "webgpu"], "adapter": "software",
     "memory": {"pss_bytes": 104857600}, "pending_work": 3, "restarts": 1, "reason": "hung",
     "instances": [{"name": "m:1#abc@wasm", "state": "loaded"}, {"name": "m:1#abc@webgpu", "state": "loading"}]},
    {"slot": "chromium/1", "state": "launching"}]})");
  const std::string text = workers_text(list);
  EXPECT_EQ(text,
            "WORKER      STATE      BACKENDS     ADAPTER   MEMORY   WORK  RESTARTS  LOADED                        "
            "LAST REASON\n"
            "chromium/0  ready      wasm,webgpu  software  100 MiB  3     1         m:1@wasm m:1@webgpu(loading)  "
            "hung\n"
            "chromium/1  launching  -            -         -        0     0         -                             "
            "-\n");
  EXPECT_EQ(workers_text(ordered_json::object()).find("WORKER"), 0U);
}

TEST(WorkerText, LeavesOutWhatIsNotThere) {
  const std::string text = worker_text(ordered_json::parse(
      R"({"slot": "chromium/0", "state": "ready", "why_not": {"webnn": "no navigator.ml"}, "reason": ""})"));
  EXPECT_NE(text.find("no webnn"), std::string::npos);
  EXPECT_NE(text.find("no navigator.ml"), std::string::npos);
  EXPECT_EQ(text.find("last reason"), std::string::npos);
}

TEST(EventText, TellsTheStoryInOneLine) {
  EXPECT_EQ(event_text(ordered_json::parse(
                R"({"time": "T", "slot": "a/0", "from": "connecting", "to": "ready", "loss": "hung", "rung": "browser",
                    "outage_ms": 700})")),
            "T  a/0  connecting -> ready  [hung, rung browser]  after 700 ms\n");
  EXPECT_EQ(event_text(ordered_json::parse(R"({"time": "T", "slot": "a/0", "to": "launching"})")),
            "T  a/0  launching\n");
}

TEST(AdminClient, TakesAddressesAndNothingElse) {
  for (const char* server : {"http://127.0.0.1:8000", "127.0.0.1:8000", "http://127.0.0.1:8000/"}) {
    ASSERT_TRUE(AdminClient::to(server)) << server;
    EXPECT_EQ(AdminClient::to(server)->address(), "127.0.0.1:8000");
  }
  for (const char* server : {"", "localhost", "http://localhost:x", "https://a:1", "http://a:1/b", ":80", "a:0"}) {
    EXPECT_FALSE(AdminClient::to(server)) << server;
  }
}

TEST(AdminClient, SaysThatNobodyListens) {
  const auto answer = AdminClient::to("127.0.0.1:1")->get("/admin/v1/workers");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_NE(answer.error().message.find("127.0.0.1:1"), std::string::npos);
}

}  // namespace
}  // namespace shoal::app
