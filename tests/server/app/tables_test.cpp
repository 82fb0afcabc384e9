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
    {"slot": "chromium/0", "state": "ready", "tier": "trusted", "backends": ["wasm", "webgpu"], "adapter": "software",
     "memory": {"pss_bytes": 104857600}, "pending_work": 3, "restarts": 1, "reason": "hung",
     "instances": [{"name": "m:1#abc@wasm", "state": "loaded"}, {"name": "m:1#abc@webgpu", "state": "loading"}]},
    {"slot": "chromium/1", "state": "launching"}]})");
  const std::string text = workers_text(list);
  EXPECT_EQ(
      text,
      "WORKER      STATE      TIER     BACKENDS     ADAPTER   MEMORY   WORK  RESTARTS  LOADED                        "
      "LAST REASON\n"
      "chromium/0  ready      trusted  wasm,webgpu  software  100 MiB  3     1         m:1@wasm m:1@webgpu(loading)  "
      "hung\n"
      "chromium/1  launching  -        -            -         -        0     0         -                             "
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

TEST(DebugText, ShowsWhatIsThere) {
  const std::string text = debug_text(ordered_json::parse(R"({"slot": "a/0", "report": {
    "errors": [{"unix_ms": 1700000000123, "backend": "webgpu", "code": "DEVICE_LOST", "message": "gone", "detail": "at x:1"}],
    "operations": [{"unix_ms": 1700000000123, "backend": "wasm", "kind": "run", "queue_us": 100, "compute_us": 2500,
                    "total_us": 3000, "input_bytes": 2048, "output_bytes": 0, "instance": "m", "error": ""}],
    "shaders": [{"backend": "webgpu", "label": "MatMul", "entry_point": "main", "constants": {"TILE": 8.0}, "text": "fn main() {}"}],
    "notes": ["webnn: its engine is busy; ask again"]},
    "memory": [{"unix_ms": 1700000000123, "memory": {"pss_bytes": 1048576, "wasm_bytes": 1024}}]})"));
  for (const char* words :
       {"error 22:13:20.123Z webgpu DEVICE_LOST: gone\nat x:1\n", "2.5 ms   3.0 ms  2 KiB  0",
        "MatMul entry main constants {\"TILE\":8.0}\nfn main() {}", "1 MiB", "its engine is busy"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << " in\n" << text;
  }
  EXPECT_EQ(debug_text(ordered_json::object()), "nothing to tell\n");
}

TEST(Tables, TheServerAsAWhole) {
  EXPECT_EQ(server_text(ordered_json::parse(R"({"state": "leaving", "reason": "a new disk", "open_requests": 3})")),
            "leaving, a new disk; 3 requests in hand\n");
  EXPECT_EQ(server_text(ordered_json::parse(R"({"state": "serving", "reason": "", "open_requests": 0})")),
            "serving; 0 requests in hand\n");
  EXPECT_EQ(reload_text(ordered_json::parse(R"({"changed": ["a.b"], "needs_restart": ["c.d"]})")),
            "a.b is changed\nc.d needs a restart\n");
  EXPECT_EQ(reload_text(ordered_json::parse(R"({"changed": [], "needs_restart": []})")), "nothing has changed\n");
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
