// The gRPC front end over loopback with generated stubs.
#include "server/api/grpc/server.hpp"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <future>
#include <thread>

#include "grpc/health/v1/health.grpc.pb.h"
#include "inference/service.grpc.pb.h"
#include "server/net/lane.hpp"
#include "tests/server/api/echo_services.hpp"
#include "tests/support/lane_access.hpp"

namespace shoal::api::grpc {
namespace {

namespace asio = boost::asio;
using testing::HasSubstr;
using namespace std::chrono_literals;
using ::grpc::StatusCode;
using inference::ModelInferRequest;
using inference::ModelInferResponse;

class GrpcServerTest : public testing::Test {
 protected:
  GrpcServerTest() {
    limits_.infer_body_bytes = 1 << 20;
    services_ =
        std::make_unique<Services>(echo_services(echo_, families_, lane_, cpu_, [this] { return snapshot_; }, limits_));
    server_ = std::make_unique<Server>(*services_, ServerOptions{.address = "127.0.0.1", .port = 0});
    EXPECT_TRUE(server_->start());
    channel_ =
        ::grpc::CreateChannel("127.0.0.1:" + std::to_string(server_->port()), ::grpc::InsecureChannelCredentials());
    stub_ = inference::GRPCInferenceService::NewStub(channel_);
  }
  ~GrpcServerTest() override {
    drain(0ms).get();
    server_.reset();
    cpu_.join();
    lane_.stop();
  }
  std::future<void> drain(std::chrono::milliseconds patience) {
    auto done = std::make_shared<std::promise<void>>();
    on_lane([&] { server_->drain(Clock::now() + patience, [done] { done->set_value(); }); });
    return done->get_future();
  }
  template <class Action>
  void on_lane(Action action) {
    testing_support::on_lane(lane_, action);
  }
  template <class Condition>
  bool eventually(Condition condition) {
    return testing_support::eventually(lane_, condition);
  }
  static ModelInferRequest request(const std::string& model = "echo_FP32") {
    ModelInferRequest made;
    made.set_model_name(model);
    made.set_id("7");
    auto& input = *made.add_inputs();
    input.set_name("IN");
    input.set_datatype(model.substr(5));
    input.add_shape(1);
    input.add_shape(2);
    return made;
  }
  struct Answer {
    ::grpc::Status status;
    ModelInferResponse response;
    std::string code;
    std::string request_id;
  };
  Answer infer(const ModelInferRequest& made, std::chrono::milliseconds patience = 10s) {
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + patience);
    Answer answer;
    answer.status = stub_->ModelInfer(&context, made, &answer.response);
    const auto trailer = [&](const char* name) {
      const auto found = context.GetServerTrailingMetadata().find(name);
      return found == context.GetServerTrailingMetadata().end()
                 ? ""
                 : std::string(found->second.data(), found->second.size());
    };
    answer.code = trailer("shoal-error-code");
    answer.request_id = trailer("x-request-id");
    return answer;
  }

  Limits limits_;
  models::SnapshotPtr snapshot_ = echo_models();
  metrics::Families families_;
  net::Lane lane_{"test"};
  asio::thread_pool cpu_{1};
  EchoService echo_{lane_.context()};
  std::unique_ptr<Services> services_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<::grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
};

TEST_F(GrpcServerTest, InfersRawAndTyped) {
  ModelInferRequest raw = request();
  raw.add_raw_input_contents(std::string(8, '\x3f'));
  const Answer answer = infer(raw);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.response.raw_output_contents(0), std::string(8, '\x3f'));
  EXPECT_EQ(answer.response.id(), "7");
  EXPECT_EQ(answer.response.outputs(0).name(), "OUT");
  EXPECT_EQ(answer.response.model_version(), "1");
  EXPECT_EQ(answer.response.parameters().at("shoal_backend").string_param(), "wasm");
  EXPECT_EQ(answer.request_id.size(), 36U);

  ModelInferRequest typed = request("echo_INT8");
  typed.mutable_inputs(0)->mutable_contents()->add_int_contents(-128);
  typed.mutable_inputs(0)->mutable_contents()->add_int_contents(127);
  EXPECT_EQ(infer(typed).response.raw_output_contents(0), "\x80\x7f");
  typed.mutable_inputs(0)->mutable_contents()->set_int_contents(0, 128);
  EXPECT_THAT(infer(typed).status.error_message(), HasSubstr("the element 128, which is no INT8"));
  ModelInferRequest texts = request("echo_BYTES");
  texts.mutable_inputs(0)->mutable_contents()->add_bytes_contents("hi");
  texts.mutable_inputs(0)->mutable_contents()->add_bytes_contents("");
  EXPECT_EQ(infer(texts).response.raw_output_contents(0), std::string("\2\0\0\0hi\0\0\0\0", 10));
  ModelInferRequest doubles = request("echo_FP64");
  doubles.mutable_inputs(0)->mutable_contents()->add_fp64_contents(1);
  doubles.mutable_inputs(0)->mutable_contents()->add_fp64_contents(2);
  EXPECT_EQ(infer(doubles).response.raw_output_contents(0).size(), 16U);
}

TEST_F(GrpcServerTest, RefusesBadInputWithCodeAndTrailer) {
  const auto expect = [&](const ModelInferRequest& made, StatusCode code, const char* name, const char* says) {
    const Answer answer = infer(made);
    EXPECT_EQ(answer.status.error_code(), code) << answer.status.error_message();
    EXPECT_EQ(answer.code, name);
    EXPECT_THAT(answer.status.error_message(), HasSubstr(says));
  };
  ModelInferRequest good = request();
  good.add_raw_input_contents(std::string(8, 0));
  ModelInferRequest made = good;
  made.set_model_name("none");
  expect(made, StatusCode::NOT_FOUND, "NOT_FOUND", "'none' is not found");
  made = good;
  made.set_model_version("abc");
  expect(made, StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", "version");
  made = good;
  made.set_model_name("broken");
  expect(made, StatusCode::UNAVAILABLE, "UNAVAILABLE", "garbage");
  made = good;
  made.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  expect(made, StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", "must not be specified when using raw_input_contents");
  expect(request(), StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", "unable to find data for input tensor 'IN'");
  made = request();
  made.mutable_inputs(0)->mutable_contents()->add_int_contents(1);
  expect(made, StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", "unexpected explicit tensor data");
  made = good;
  made.mutable_inputs(0)->set_shape(0, -1);
  expect(made, StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", "");
  made = good;
  made.mutable_inputs(0)->set_datatype("FP33");
  expect(made, StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", "unknown datatype");
  made = good;
  made.add_raw_input_contents("x");
  expect(made, StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", "one per input, but got 2");
  made = good;
  (*made.mutable_parameters())["priority"].set_string_param("1");
  expect(made, StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", "'priority' must be");
  made = good;
  (*made.mutable_parameters())["priority"];
  expect(made, StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", "'priority' has no value");
  made = good;
  made.add_outputs()->set_name("OTHER");
  expect(made, StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", "OTHER");
  made = good;
  made.set_raw_input_contents(0, std::string(3 << 20, 0));
  EXPECT_EQ(infer(made).status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  on_lane([&] { echo_.failure = Error{Code::kOverloaded, "full", {}}; });
  expect(good, StatusCode::UNAVAILABLE, "OVERLOADED", "full");
  on_lane([&] { echo_.failure.reset(); });
  EXPECT_TRUE(infer(good).status.ok());
}

TEST_F(GrpcServerTest, PassesTheDeadlineAndTheCancel) {
  ModelInferRequest made = request();
  made.add_raw_input_contents(std::string(8, 0));
  ASSERT_TRUE(infer(made, 5s).status.ok());
  on_lane([&] {
    // On the wire a timeout has few digits and is rounded up.
    EXPECT_LE(echo_.last_request.deadline, Clock::now() + 5500ms);
    EXPECT_GT(echo_.last_request.deadline, Clock::now());
    echo_.hold = true;
  });
  EXPECT_EQ(infer(made, 50ms).status.error_code(), StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(eventually([&] { return echo_.cancel_count == 1 && echo_.open_count() == 0; }));
  ::grpc::ClientContext context;
  ModelInferResponse response;
  auto call = std::async(std::launch::async, [&] { return stub_->ModelInfer(&context, made, &response); });
  EXPECT_TRUE(eventually([&] { return echo_.open_count() == 1; }));
  EXPECT_TRUE([&] {
    bool is_unlimited = false;
    on_lane([&] { is_unlimited = echo_.last_request.deadline == kNoDeadline; });
    return is_unlimited;
  }());
  context.TryCancel();
  EXPECT_EQ(call.get().error_code(), StatusCode::CANCELLED);
  EXPECT_TRUE(eventually([&] { return echo_.cancel_count == 2 && echo_.open_count() == 0; }));
}

TEST_F(GrpcServerTest, TellsAboutServerAndModels) {
  const auto ask = [&](auto method, auto made, auto& response) {
    ::grpc::ClientContext context;
    return ((*stub_).*method)(&context, made, &response);
  };
  using Stub = inference::GRPCInferenceService::Stub;
  inference::ServerLiveResponse live;
  EXPECT_TRUE(ask(&Stub::ServerLive, inference::ServerLiveRequest(), live).ok() && live.live());
  inference::ServerMetadataResponse server;
  EXPECT_TRUE(ask(&Stub::ServerMetadata, inference::ServerMetadataRequest(), server).ok());
  EXPECT_EQ(server.version(), "1.2.3");
  inference::ModelMetadataRequest metadata_request;
  metadata_request.set_name("echo_BF16");
  inference::ModelMetadataResponse metadata;
  EXPECT_TRUE(ask(&Stub::ModelMetadata, metadata_request, metadata).ok());
  EXPECT_EQ(metadata.inputs(0).datatype(), "BF16");
  EXPECT_EQ(metadata.versions(0), "1");
  inference::ModelConfigRequest config_request;
  config_request.set_name("echo_BF16");
  inference::ModelConfigResponse config;
  EXPECT_TRUE(ask(&Stub::ModelConfig, config_request, config).ok());
  EXPECT_EQ(config.config().max_batch_size(), 4);
  inference::ModelStatisticsResponse statistics;
  EXPECT_TRUE(ask(&Stub::ModelStatistics, inference::ModelStatisticsRequest(), statistics).ok());
  EXPECT_EQ(statistics.model_stats_size(), 14);
  inference::RepositoryIndexResponse index;
  EXPECT_TRUE(ask(&Stub::RepositoryIndex, inference::RepositoryIndexRequest(), index).ok());
  EXPECT_EQ(index.models_size(), 15);
  inference::ModelReadyRequest ready_request;
  ready_request.set_name("broken");
  inference::ModelReadyResponse ready;
  EXPECT_TRUE(ask(&Stub::ModelReady, ready_request, ready).ok());
  EXPECT_FALSE(ready.ready());
  inference::RepositoryModelLoadResponse load;
  const ::grpc::Status refused = ask(&Stub::RepositoryModelLoad, inference::RepositoryModelLoadRequest(), load);
  EXPECT_EQ(refused.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("load / unload"));
}

TEST_F(GrpcServerTest, StreamsAnswersAndErrors) {
  ::grpc::ClientContext context;
  auto stream = stub_->ModelStreamInfer(&context);
  ModelInferRequest good = request();
  good.add_raw_input_contents(std::string(8, 0));
  (*good.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
  constexpr int kCount = 200;  // more than may be open at once
  std::thread writer([&] {
    for (int count = 0; count < kCount; ++count) {
      ModelInferRequest made = good;
      made.set_id(std::to_string(count));
      made.set_model_name(count % 10 == 3 ? "none" : "echo_FP32");
      stream->Write(made);
    }
    stream->WritesDone();
  });
  int good_count = 0;
  int bad_count = 0;
  inference::ModelStreamInferResponse response;
  while (stream->Read(&response)) {
    if (response.error_message().empty()) {
      ++good_count;
      EXPECT_TRUE(response.infer_response().parameters().at("triton_final_response").bool_param());
    } else {
      ++bad_count;
      EXPECT_THAT(response.error_message(), HasSubstr("'none'"));
    }
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(good_count, 180);
  EXPECT_EQ(bad_count, 20);
}

TEST_F(GrpcServerTest, StreamEndsOnTheFirstErrorWhenAsked) {
  ::grpc::ClientContext context;
  context.AddMetadata("triton_grpc_error", "true");
  auto stream = stub_->ModelStreamInfer(&context);
  stream->Write(request("echo_none"));
  inference::ModelStreamInferResponse response;
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::NOT_FOUND);
}

TEST_F(GrpcServerTest, StreamCancelFreesItsRequests) {
  on_lane([&] { echo_.hold = true; });
  ::grpc::ClientContext context;
  auto stream = stub_->ModelStreamInfer(&context);
  ModelInferRequest good = request();
  good.add_raw_input_contents(std::string(8, 0));
  stream->Write(good);
  stream->Write(good);
  EXPECT_TRUE(eventually([&] { return echo_.open_count() == 2; }));
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), StatusCode::CANCELLED);
  EXPECT_TRUE(eventually([&] { return echo_.open_count() == 0; }));
}

TEST_F(GrpcServerTest, HealthFollowsReadiness) {
  const auto health = ::grpc::health::v1::Health::NewStub(channel_);
  const auto check = [&](const std::string& service, ::grpc::health::v1::HealthCheckResponse& response) {
    ::grpc::ClientContext context;
    ::grpc::health::v1::HealthCheckRequest made;
    made.set_service(service);
    return health->Check(&context, made, &response);
  };
  using Response = ::grpc::health::v1::HealthCheckResponse;
  Response response;
  EXPECT_TRUE(check("", response).ok());
  EXPECT_EQ(response.status(), Response::SERVING);
  EXPECT_EQ(check("none", response).error_code(), StatusCode::NOT_FOUND);
  ::grpc::ClientContext watch_context;
  const auto watch = health->Watch(&watch_context, {});
  EXPECT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), Response::SERVING);
  on_lane([&] { echo_.ready = fail(Code::kUnavailable, "loading"); });
  EXPECT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), Response::NOT_SERVING);
  EXPECT_TRUE(check("inference.GRPCInferenceService", response).ok());
  EXPECT_EQ(response.status(), Response::NOT_SERVING);
  auto drained = drain(10s);
  while (watch->Read(&response)) {
  }
  EXPECT_EQ(watch->Finish().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(drained.wait_for(5s), std::future_status::ready);
}

TEST_F(GrpcServerTest, DrainAnswersWhatItHasAccepted) {
  ModelInferRequest made = request();
  made.add_raw_input_contents(std::string(8, 0));
  ::grpc::ClientContext idle_context;
  auto idle = stub_->ModelStreamInfer(&idle_context);
  inference::ModelStreamInferResponse response;
  // An answer shows that the stream is open at the other end.
  EXPECT_TRUE(idle->Write(made) && idle->Read(&response));
  on_lane([&] { echo_.hold = true; });
  auto call = std::async(std::launch::async, [&] { return infer(made); });
  EXPECT_TRUE(eventually([&] { return echo_.open_count() == 1; }));
  auto drained = drain(10s);
  EXPECT_EQ(idle->Finish().error_code(), StatusCode::UNAVAILABLE);
  on_lane([&] { echo_.answer_all(); });
  EXPECT_TRUE(call.get().status.ok());
  EXPECT_EQ(drained.wait_for(5s), std::future_status::ready);
}

TEST_F(GrpcServerTest, DrainCutsAtTheDeadline) {
  on_lane([&] { echo_.hold = true; });
  ModelInferRequest made = request();
  made.add_raw_input_contents(std::string(8, 0));
  auto call = std::async(std::launch::async, [&] { return infer(made); });
  EXPECT_TRUE(eventually([&] { return echo_.open_count() == 1; }));
  auto drained = drain(50ms);
  EXPECT_FALSE(call.get().status.ok());
  EXPECT_EQ(drained.wait_for(5s), std::future_status::ready);
}

TEST_F(GrpcServerTest, SaysWhichPortIsTaken) {
  Server second(*services_, {.address = "127.0.0.1", .port = server_->port()});
  const Status status = second.start();
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr(std::to_string(server_->port())));
}

}  // namespace
}  // namespace shoal::api::grpc
