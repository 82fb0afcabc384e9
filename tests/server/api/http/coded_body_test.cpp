// Compressed bodies through the server's sockets.
#include <gmock/gmock.h>

#include "server/api/http/content_coding.hpp"
#include "server/api/openai/routes.hpp"
#include "tests/server/api/http/http_server_fixture.hpp"

namespace shoal::api::http {
namespace {

using testing::HasSubstr;

constexpr const char* kInfer = "/v2/models/echo_FP32/infer";

std::string floats(std::size_t count) {
  std::string body =
      R"({"inputs":[{"name":"IN","shape":[1,)" + std::to_string(count) + R"(],"datatype":"FP32","data":[1)";
  for (std::size_t index = 1; index < count; ++index) {
    body += "," + std::to_string(index % 1000);
  }
  return body + "]}]}";
}

std::string plain_of(Coding coding, const std::string& body) {
  Inflater inflater(coding, body);
  std::string out;
  EXPECT_EQ(inflater.append(out, std::size_t{4} << 20), true);
  return out;
}

class CodedBodyTest : public HttpServerTest, public testing::WithParamInterface<Coding> {
 protected:
  void add_routes(Router& router) override {
    add_parallel_route(router, *services_);
    openai::add_openai_routes(router, *services_);
  }
  static std::string header(const std::string& name) {
    return name + ": " + std::string(coding_name(GetParam())) + "\r\n";
  }
  static std::string sent() { return header("Content-Encoding"); }
  static std::string wanted() { return header("Accept-Encoding"); }
  static std::string packed(const std::string& body) { return *compressed(GetParam(), body); }
};
INSTANTIATE_TEST_SUITE_P(All, CodedBodyTest, testing::Values(Coding::kGzip, Coding::kDeflate),
                         [](const auto& info) { return std::string(coding_name(info.param)); });

TEST_P(CodedBodyTest, AnswersTheSameHoweverItIsSent) {
  Client one = client();
  // On the lane; beyond its first step; and with a compressed body that the lane does not touch.
  for (const std::size_t count : {500UZ, 30'000UZ, 250'000UZ}) {
    const std::string body = floats(count);
    const auto asked = one.ask("POST", kInfer, body).document();
    const Answer answer = one.ask("POST", kInfer, packed(body), sent());
    ASSERT_EQ(answer.status, 200) << answer.body.substr(0, 200);
    EXPECT_EQ(answer.header("Content-Encoding"), "");
    EXPECT_EQ(answer.document()["outputs"], asked["outputs"]);
    const Answer coded = one.ask("POST", kInfer, packed(body), sent() + wanted());
    EXPECT_EQ(coded.header("Content-Encoding"), coding_name(GetParam()));
    EXPECT_EQ(coded.header("Vary"), "Accept-Encoding");
    EXPECT_LT(coded.body.size(), answer.body.size());
    EXPECT_EQ(json::parse(plain_of(GetParam(), coded.body))["outputs"], asked["outputs"]);
  }
}

TEST_P(CodedBodyTest, CountsTheHeaderOfBinaryBodiesUncompressed) {
  Client one = client();
  const std::string data(8000, '\x3c');
  const std::string head =
      R"({"inputs":[{"name":"IN","shape":[1,2000],"datatype":"FP32","parameters":{"binary_data_size":8000}}],)"
      R"("parameters":{"binary_data_output":true}})";
  const Answer answer =
      one.ask("POST", kInfer, packed(head + data),
              sent() + wanted() + "Inference-Header-Content-Length: " + std::to_string(head.size()) + "\r\n");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.header("Content-Encoding"), coding_name(GetParam()));
  const std::string plain = plain_of(GetParam(), answer.body);
  EXPECT_EQ(plain.substr(std::stoul(answer.header("Inference-Header-Content-Length"))), data);
}

TEST_P(CodedBodyTest, SmallAnswersStayPlain) {
  const Answer answer = client().ask("GET", "/v2", "", wanted());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Encoding"), "");
  EXPECT_EQ(client().ask("GET", "/agent/ort/x.wasm", "", wanted()).body.size(), 700'000U) << "files go as they are";
}

TEST_P(CodedBodyTest, HeadTellsTheSameLength) {
  Client one = client();
  const Answer whole = one.ask("GET", "/v2/models/stats", "", wanted());
  EXPECT_EQ(whole.header("Content-Encoding"), coding_name(GetParam()));
  const Answer head = one.ask("HEAD", "/v2/models/stats", "", wanted());
  EXPECT_EQ(head.header("Content-Length"), whole.header("Content-Length"));
  EXPECT_EQ(one.ask("GET", "/v2/health/live").status, 200);
}

TEST_P(CodedBodyTest, RefusesDamagedBodiesInTheRoutesOwnStyle) {
  const std::string good = packed(floats(50));
  for (const std::string& body : {good.substr(0, good.size() - 1), good + "x", floats(5), std::string("x")}) {
    for (const char* path : {kInfer, "/v2/parallel", "/v2/repository/index", "/v1/embeddings"}) {
      const Answer answer = client().ask("POST", path, body, sent());
      EXPECT_EQ(answer.status, 400) << path;
      EXPECT_THAT(answer.body, HasSubstr("the body is not " + std::string(coding_name(GetParam()))));
      if (std::string_view(path) == "/v1/embeddings") {
        EXPECT_EQ(answer.document()["error"]["param"], "Content-Encoding");
      } else {
        EXPECT_EQ(answer.document()["code"], "INVALID_ARGUMENT");
      }
    }
  }
  EXPECT_EQ(client().ask("GET", "/v2/health/live", "", sent()).status, 200) << "nothing to decompress";
}

TEST_P(CodedBodyTest, RefusesABodyThatBecomesTooLarge) {
  const std::string bomb = packed(std::string(std::size_t{20} << 20, ' '));
  ASSERT_LT(bomb.size(), 100'000U);
  const Answer kserve = client().ask("POST", kInfer, bomb, sent());
  EXPECT_EQ(kserve.status, 400);
  EXPECT_THAT(kserve.document()["error"],
              HasSubstr("decompressed body exceeds the maximum allowed input size of 2097152 bytes"));
  const Answer openai = client().ask("POST", "/v1/embeddings", bomb, sent());
  EXPECT_EQ(openai.status, 413);
  EXPECT_THAT(openai.document()["error"]["message"], HasSubstr("16777216 bytes"));
  // To the byte.
  std::string full = floats(100);
  full.insert(1, std::string((2 << 20) - full.size(), ' '));
  EXPECT_EQ(client().ask("POST", kInfer, packed(full), sent()).status, 200);
  full.insert(1, " ");
  EXPECT_EQ(client().ask("POST", kInfer, packed(full), sent()).status, 400);
}

// One bomb at a time: all of them together are bounded as plain bodies are.
TEST_P(CodedBodyTest, CountsWhatBodiesBecomeAmongWhatIsHeld) {
  limits_.held_bytes = std::size_t{1} << 20;
  const std::string body = packed(floats(100) + std::string(std::size_t{3} << 19, ' '));
  ASSERT_LT(body.size(), 10'000U);
  const Answer answer = client().ask("POST", kInfer, body, sent());
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.document()["code"], "OVERLOADED");
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(client().ask("POST", kInfer, packed(floats(500)), sent()).status, 200) << "nothing stays held";
  }
}

}  // namespace
}  // namespace shoal::api::http
