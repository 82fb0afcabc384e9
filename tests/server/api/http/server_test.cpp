// The HTTP front end over loopback sockets, with raw requests, so that nothing in a client library hides what is sent.
#include "server/api/http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <regex>

#include "server/api/http/routes.hpp"
#include "server/net/lane.hpp"
#include "tests/server/api/echo_service.hpp"
#include "tests/server/api/http/http_server_fixture.hpp"

namespace shoal::api::http {
namespace {

using testing::HasSubstr;

constexpr const char* kInfer = "/v2/models/echo_FP32/infer";
constexpr const char* kBody = R"({"id":"7","inputs":[{"name":"IN","shape":[1,2],"datatype":"FP32","data":[1.5,-2]}]})";

TEST_F(HttpServerTest, AnswersManyRequestsOnOneConnection) {
  Client one = client();
  const Answer answer = one.ask("POST", kInfer, kBody);
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.document()["id"], "7");
  EXPECT_EQ(answer.document()["outputs"][0]["data"], (std::vector<float>{1.5F, -2.0F}));
  EXPECT_EQ(answer.document()["parameters"]["shoal_compute_us"], 7);
  EXPECT_EQ(answer.header("x-request-id").size(), 36U);
  EXPECT_EQ(one.ask("GET", "/v2/health/live").status, 200);
  const Answer metadata = one.ask("GET", "/v2/models/echo_FP32");
  EXPECT_EQ(metadata.document()["inputs"][0]["shape"], (std::vector<int>{-1, -1}));
  EXPECT_EQ(one.ask("GET", "/v2").document()["version"], "1.2.3");
  EXPECT_EQ(one.ask("GET", "/v2/models/echo_FP32/config").document()["input"][0]["dims"][0], -1);
  EXPECT_EQ(one.ask("GET", "/v2/models/echo_FP32/versions/1/stats").document()["model_stats"][0]["name"], "echo_FP32");
  EXPECT_EQ(one.ask("GET", "/v2/models/stats").document()["model_stats"].size(), 14U);
  const Answer index = one.ask("POST", "/v2/repository/index", "");
  EXPECT_EQ(index.document()[0]["state"], "UNAVAILABLE");
  EXPECT_THAT(index.document()[0]["reason"], HasSubstr("garbage"));
  EXPECT_EQ(one.ask("POST", "/v2/repository/index", R"({"ready":true})").document().size(), 14U);
  const Answer head = one.ask("HEAD", "/v2");
  EXPECT_EQ(head.status, 200);
  EXPECT_NE(head.header("Content-Length"), "0");
  EXPECT_EQ(one.ask("GET", "/").status, 200);
}

TEST_F(HttpServerTest, EchoesEveryDatatypeInBinary) {
  Client one = client();
  for (std::size_t index = 1; index <= kDataTypeCount; ++index) {
    const auto type = static_cast<DataType>(index);
    const std::string name(datatype_name(type));
    std::string data(type == DataType::kBytes ? 0 : 2 * datatype_size(type), '\x3c');
    if (type == DataType::kBytes) {
      data = std::string("\1\0\0\0\xff\0\0\0\0", 9);
    }
    const std::string head = R"({"inputs":[{"name":"IN","shape":[1,2],"datatype":")" + name +
                             R"(","parameters":{"binary_data_size":)" + std::to_string(data.size()) +
                             R"(}}],"parameters":{"binary_data_output":true}})";
    const Answer answer = one.ask("POST", "/v2/models/echo_" + name + "/infer", head + data,
                                  "Inference-Header-Content-Length: " + std::to_string(head.size()) + "\r\n");
    ASSERT_EQ(answer.status, 200) << answer.body;
    const std::size_t size = std::stoul(answer.header("Inference-Header-Content-Length"));
    EXPECT_EQ(answer.body.substr(size), data) << name;
    EXPECT_EQ(answer.header("Content-Type"), "application/octet-stream");
  }
}

TEST_F(HttpServerTest, TakesRawTensors) {
  Client one = client();
  const std::string floats(8, '\x3f');
  const Answer answer = one.ask("POST", kInfer, floats, "Inference-Header-Content-Length: 0\r\n");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.body.substr(std::stoul(answer.header("Inference-Header-Content-Length"))), floats);
  EXPECT_EQ(one.ask("POST", kInfer, "abc", "Inference-Header-Content-Length: 0\r\n").status, 400);
}

TEST_F(HttpServerTest, RefusesBadInputAndStaysLive) {
  const std::string sizes = "Inference-Header-Content-Length: ";
  struct Case {
    const char* path;
    std::string body;
    std::string headers;
    int status;
    const char* says;
  };
  const auto input = [](const std::string& more) { return R"({"inputs":[{"name":"IN",)" + more + "}]}"; };
  const std::vector<Case> cases = {
      {"/v2/models/none/infer", kBody, "", 404, "unknown model: 'none' is not found"},
      {"/v2/models/echo_FP32/versions/9/infer", kBody, "", 404, "version 9 is not found"},
      {"/v2/models/echo_FP32/versions/x/infer", kBody, "", 404, "Not Found"},
      {"/v2/models/broken/infer", kBody, "", 503, "garbage"},
      {kInfer, "", "", 400, "expected an object"},
      {kInfer, "{", "", 400, "failed to parse"},
      {kInfer, std::string(250'000, '['), "", 400, "expected an object"},
      {kInfer, input(R"("shape":[1,2],"datatype":"INT32","data":[1,2])"), "", 400, "data-type is 'INT32'"},
      {kInfer, input(R"("shape":[1],"datatype":"FP32","data":[1])"), "", 400, "unexpected shape"},
      {kInfer, input(R"("shape":[5,1],"datatype":"FP32","data":[1,2,3,4,5])"), "", 400, "batch-size must be <= 4"},
      {kInfer, input(R"("shape":[1,2],"datatype":"FP32","data":[1])"), "", 400, "Expected 8, got 4"},
      {kInfer, R"({"inputs":[]})", "", 400, "expected 1 inputs but got 0"},
      {kInfer, kBody, sizes + "abc\r\n", 400, "not a number"},
      {kInfer, kBody, sizes + "-1\r\n", 400, "not a number"},
      {kInfer, kBody, sizes + "99999999999\r\n", 400, "the body has"},
      {kInfer, kBody, sizes + "99999999999999999999999\r\n", 400, "not a number"},
      {kInfer, kBody, "Content-Encoding: br\r\n", 501, "br"},
      {kInfer, kBody, "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", 501, "gzip"},
      {"/v2/models/echo_FP16/infer", R"({"inputs":[{"name":"IN","shape":[1,1],"datatype":"FP16","data":[1]}]})", "",
       400, "binary"},
  };
  for (const Case& one : cases) {
    Client connection = client();
    const Answer answer = connection.ask("POST", one.path, one.body, one.headers);
    EXPECT_EQ(answer.status, one.status) << one.says << answer.body;
    EXPECT_THAT(answer.document()["error"], HasSubstr(one.says));
    EXPECT_TRUE(answer.document().contains("code"));
    EXPECT_EQ(client().ask("GET", "/v2/health/live").status, 200);
  }
}

TEST_F(HttpServerTest, TurnsParametersIntoDemandPriorityAndDeadline) {
  Client one = client();
  const auto ask = [&](const std::string& parameters) {
    std::string body = kBody;
    body.insert(1, R"("parameters":)" + parameters + ",");
    return one.ask("POST", kInfer, body);
  };
  EXPECT_EQ(
      ask(R"({"shoal_backend":"webgpu","shoal_bits":8,"shoal_worker":"chromium/0","priority":1,"timeout":5000000})")
          .status,
      200);
  on_lane([&] {
    const dispatch::InferenceRequest& seen = echo_.last_request;
    EXPECT_EQ(seen.demand.backend, Backend::kWebgpu);
    EXPECT_EQ(seen.demand.bits, 8U);
    EXPECT_EQ(seen.demand.worker, "chromium/0");
    EXPECT_EQ(seen.priority, 1U);
    EXPECT_EQ(seen.deadline, seen.received + 5s);
  });
  EXPECT_EQ(ask(R"({"shoal_backend":"webgpu, wasm"})").status, 200);
  on_lane([&] {
    const dispatch::Demand& seen = echo_.last_request.demand;
    EXPECT_FALSE(seen.backend) << "several are no demand";
    EXPECT_EQ(seen.preference, (std::vector<Backend>{Backend::kWebgpu, Backend::kWasm}));
  });
  for (const char* bad : {R"({"shoal_backend":"gpu"})", R"({"shoal_backend":"wasm,wasm"})",
                          R"({"shoal_backend":"wasm,"})", R"({"shoal_backend":""})", R"({"shoal_bits":0})",
                          R"({"shoal_bit":4})", R"({"priority":4})", R"({"priority":-1})", R"({"timeout":"5"})",
                          R"({"triton_x":1})", R"({"sequence_id":1})", R"({"headers":"x"})", R"({"p":[1]})"}) {
    const Answer answer = ask(bad);
    EXPECT_EQ(answer.status, 400) << bad << answer.body;
    EXPECT_THAT(answer.document()["error"], HasSubstr("parameter")) << bad;
  }
  EXPECT_EQ(ask(R"({"mine":"x"})").status, 200);
}

TEST_F(HttpServerTest, SaysMethodPathAndReadiness) {
  Client one = client();
  EXPECT_EQ(one.ask("GET", "/nothing").status, 404);
  const Answer method = one.ask("DELETE", "/v2");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.header("Allow"), "GET");
  EXPECT_THAT(method.document()["error"], "Method Not Allowed");
  EXPECT_EQ(one.ask("GET", "/v2/health/ready").document()["ready"], true);
  EXPECT_EQ(one.ask("GET", "/v2/models/echo_FP32/ready").status, 200);
  on_lane([&] { echo_.ready = fail(Code::kUnavailable, "model 'x' is loading"); });
  const Answer ready = one.ask("GET", "/v2/health/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.document()["ready"], false);
  EXPECT_THAT(ready.document()["error"], HasSubstr("loading"));
  EXPECT_EQ(one.ask("GET", "/v2/models/echo_FP32/ready").status, 503);
  EXPECT_EQ(one.ask("GET", "/v2/models/broken/ready").status, 503);
  EXPECT_EQ(one.ask("GET", "/v2/models/none/ready").status, 404);
  EXPECT_EQ(one.ask("GET", "/v2/health/live").status, 200);
}

TEST_F(HttpServerTest, MapsFailuresOfTheWork) {
  Client one = client();
  on_lane([&] { echo_.failure = Error{Code::kOverloaded, "the queue is full", {}}; });
  const Answer full = one.ask("POST", kInfer, kBody);
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(full.header("Retry-After"), "1");
  EXPECT_EQ(full.document()["code"], "OVERLOADED");
  on_lane([&] { echo_.failure = Error{Code::kDeadlineExceeded, "late", {}}; });
  EXPECT_EQ(one.ask("POST", kInfer, kBody).status, 504);
}

TEST_F(HttpServerTest, CancelsWhenTheClientGoesAway) {
  Client one = client();
  on_lane([&] { echo_.hold = true; });
  one.send("POST /v2/models/echo_FP32/infer HTTP/1.1\r\nHost: x\r\nContent-Length: " +
           std::to_string(std::string_view(kBody).size()) + "\r\n\r\n" + kBody);
  EXPECT_TRUE(eventually([&] { return echo_.open_count() == 1; }));
  one.close();
  EXPECT_TRUE(eventually([&] { return echo_.cancel_count == 1 && echo_.open_count() == 0; }));
  EXPECT_TRUE(eventually([&] { return server_->connection_count() == 0; }));
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Client one = client();
  one.send("GET /v2 HTTP/1.1\r\nHost: x\r\n\r\nGET /v2/models/echo_FP32 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(one.receive().document()["name"], "shoal");
  EXPECT_EQ(one.receive().document()["name"], "echo_FP32");
}

TEST_F(HttpServerTest, BoundsHeadersBodiesAndChunks) {
  Client header = client();
  header.send("GET /v2 HTTP/1.1\r\nHost: x\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n");
  EXPECT_EQ(header.receive().status, 431);
  Client body = client();
  body.send("POST /v2/models/echo_FP32/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
  const Answer refused = body.receive();
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("exceeds the maximum allowed input size of 2097152"));
  EXPECT_TRUE(body.is_closed());
  Client chunks = client();
  std::string flood = "POST /v2/models/echo_FP32/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int chunk = 0; chunk <= 100; ++chunk) {
    flood += "1\r\n \r\n";
  }
  chunks.send(flood);
  const Answer flooded = chunks.receive();
  EXPECT_EQ(flooded.status, 400);
  EXPECT_THAT(flooded.body, HasSubstr("more than 100 chunks"));
  Client chunked = client();
  chunked.send(
      "POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "8\r\n{\"ready\"\r\n6\r\n:true}\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.receive().status, 200);
  Client garbage = client();
  garbage.send("NOT HTTP AT ALL\r\n\r\n");
  EXPECT_EQ(garbage.receive().status, 400);
  Client silent = client();
  EXPECT_TRUE(silent.is_closed());
  Client no_host = client();
  no_host.send("GET /v2 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(no_host.receive().status, 400);
}

TEST_F(HttpServerTest, BoundsAllBodiesTogether) {
  limits_.held_bytes = 3 << 20;
  const std::string head = "POST /v2/models/echo_FP32/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n";
  {
    Client first = client();
    // It is counted before it is asked to go on.
    first.send(head.substr(0, head.size() - 2) + "Expect: 100-continue\r\n\r\n");
    EXPECT_EQ(first.receive(false).status, 100);
    Client second = client();
    second.send(head);
    const Answer full = second.receive();
    EXPECT_EQ(full.status, 503);
    EXPECT_EQ(full.document()["code"], "OVERLOADED");
    EXPECT_EQ(full.header("Retry-After"), "1");
  }
  EXPECT_TRUE(eventually([&] { return server_->connection_count() == 0; }));
  Client third = client();
  third.send(head + std::string(2'000'000, ' '));
  EXPECT_EQ(third.receive().status, 400);
}

TEST_F(HttpServerTest, ContinuesWhenAsked) {
  Client one = client();
  one.send("POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(one.receive(false).status, 100);
  one.send("{}");
  EXPECT_EQ(one.receive().status, 200);
}

TEST_F(HttpServerTest, ServesTheAgentToItsOwnSiteOnly) {
  Client one = client();
  const Answer page = one.ask("GET", "/agent/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.header("Cross-Origin-Opener-Policy"), "same-origin");
  EXPECT_EQ(page.header("Cross-Origin-Embedder-Policy"), "require-corp");
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  const Answer wasm = one.ask("GET", "/agent/ort/x.wasm");
  EXPECT_EQ(wasm.header("Content-Type"), "application/wasm");
  EXPECT_EQ(wasm.body, std::string(700'000, 'w'));
  EXPECT_EQ(one.ask("GET", "/agent/ort/x.wasm", "", "If-None-Match: " + wasm.header("ETag") + "\r\n").status, 304);
  for (const char* path : {"/agent/../secret", "/agent/%2e%2e/secret", "/agent/.hidden", "/agent/ort", "/agent/none.js",
                           "/agent/blobs/none", "/agent/%00"}) {
    EXPECT_EQ(one.ask("GET", path).status, 404) << path;
  }
  const Answer blob = one.ask("GET", "/agent/blobs/abc", "", "Range: bytes=699990-\r\n");
  EXPECT_EQ(blob.status, 206);
  EXPECT_EQ(blob.body, "wwwwwwwwww");
  EXPECT_EQ(blob.header("Content-Range"), "bytes 699990-699999/700000");
  EXPECT_THAT(blob.header("Cache-Control"), HasSubstr("immutable"));
  EXPECT_EQ(one.ask("GET", "/agent/blobs/abc", "", "Range: bytes=700000-\r\n").status, 416);
  Client rebound = client();
  rebound.send("GET /agent/ HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(rebound.receive().status, 403);
  EXPECT_EQ(client().ask("POST", kInfer, kBody, "Origin: http://evil.example\r\n").status, 403);
  EXPECT_EQ(client().ask("GET", "/v2", "", "Sec-Fetch-Site: cross-site\r\n").status, 403);
}

TEST_F(HttpServerTest, HandsWebSocketsOver) {
  const std::string upgrade =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc\r\n";
  Client plain = client();
  EXPECT_EQ(plain.ask("GET", "/agent/ws").status, 426);
  Client foreign = client();
  EXPECT_EQ(foreign.ask("GET", "/agent/ws", "", upgrade + "Origin: http://evil.example\r\n").status, 403);
  Client one = client();
  one.send("GET /agent/ws HTTP/1.1\r\nHost: localhost\r\n" + upgrade + "\r\n");
  EXPECT_TRUE(one.is_closed());
  EXPECT_TRUE(eventually([&] { return upgraded_ == "abc"; }));
}

TEST_F(HttpServerTest, DrainsAcceptedWorkAndThenEnds) {
  Client idle = client();
  EXPECT_EQ(idle.ask("GET", "/v2").status, 200);
  Client busy = client();
  on_lane([&] { echo_.hold = true; });
  busy.send("POST /v2/models/echo_FP32/infer HTTP/1.1\r\nHost: x\r\nContent-Length: " +
            std::to_string(std::string_view(kBody).size()) + "\r\n\r\n" + kBody);
  EXPECT_TRUE(eventually([&] { return echo_.open_count() == 1; }));
  const std::uint16_t port = server_->port();
  std::promise<void> drained;
  on_lane([&] { server_->drain(Clock::now() + 10s, [&] { drained.set_value(); }); });
  EXPECT_TRUE(idle.is_closed());
  EXPECT_THROW(Client{port}, boost::system::system_error);
  auto ended = drained.get_future();
  EXPECT_EQ(ended.wait_for(50ms), std::future_status::timeout);
  on_lane([&] { echo_.answer_all(); });
  const Answer last = busy.receive();
  EXPECT_EQ(last.status, 200);
  EXPECT_EQ(last.header("Connection"), "close");
  EXPECT_EQ(ended.wait_for(10s), std::future_status::ready);
}

TEST_F(HttpServerTest, CutsWhatIsLeftAtTheDeadline) {
  Client busy = client();
  on_lane([&] { echo_.hold = true; });
  busy.send("POST /v2/models/echo_FP32/infer HTTP/1.1\r\nHost: x\r\nContent-Length: " +
            std::to_string(std::string_view(kBody).size()) + "\r\n\r\n" + kBody);
  EXPECT_TRUE(eventually([&] { return echo_.open_count() == 1; }));
  std::promise<void> drained;
  on_lane([&] { server_->drain(Clock::now() + 20ms, [&] { drained.set_value(); }); });
  EXPECT_EQ(drained.get_future().wait_for(10s), std::future_status::ready);
  EXPECT_EQ(echo_.cancel_count, 1);
}

TEST_F(HttpServerTest, ShowsMetrics) {
  Client one = client();
  one.ask("POST", kInfer, kBody);
  const Answer page = one.ask("GET", "/metrics");
  EXPECT_EQ(page.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_THAT(page.body, HasSubstr("nv_inference_request_success{model=\"echo_FP32\",version=\"1\"} 0"));
  EXPECT_THAT(page.body,
              HasSubstr("nv_inference_request_failure{model=\"echo_FP32\",version=\"1\",reason=\"BACKEND\"} 0"));
  EXPECT_THAT(page.body, HasSubstr("shoal_http_responses_total{route=\"kserve\",status=\"200\"} 1"));
  EXPECT_THAT(page.body, HasSubstr("shoal_models{state=\"unavailable\"} 1"));
  EXPECT_EQ(one.ask("POST", "/metrics", "").status, 405);
}

TEST_F(HttpServerTest, WritesLargeJsonOffTheLane) {
  Client one = client();
  std::string body = R"({"inputs":[{"name":"IN","shape":[1,40000],"datatype":"FP32","data":[0.1)";
  for (int count = 1; count < 40'000; ++count) {
    body += ",0.1";
  }
  const Answer answer = one.ask("POST", kInfer, body + "]}]}");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.document()["outputs"][0]["data"].size(), 40'000U);
}

TEST_F(HttpServerTest, SaysWhichPortIsTaken) {
  listen();
  Server second(lane_.executor(), cpu_, {},
                {.address = "127.0.0.1",
                 .port = server_->port(),
                 .public_hosts = {},
                 .limits = {},
                 .upgrade = {},
                 .metrics = nullptr},
                Log::discard());
  on_lane([&] {
    const Status status = second.listen();
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("port " + std::to_string(server_->port())));
  });
}

}  // namespace
}  // namespace shoal::api::http
