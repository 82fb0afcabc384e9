// API keys on every gRPC method that there is, also on those that are added one day.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>

#include <set>

#include "inference/service.pb.h"
#include "server/core/wall_clock.hpp"
#include "shoal/admin/v1/admin.pb.h"
#include "shoal/v1/inference.pb.h"
#include "tests/server/api/grpc/grpc_fixture.hpp"

namespace shoal::api::grpc {
namespace {

using auth::Scope;
using ::grpc::StatusCode;

struct ClosedGate {
  ClosedGate() {
    auth::KeyBook book;
    for (const Scope scope : {Scope::kInfer, Scope::kAdmin, Scope::kMetrics, Scope::kJoin}) {
      const std::string name(auth::scope_name(scope));
      EXPECT_TRUE(book.create({.name = name, .scopes = {scope}}, name, "secret-" + name, wall_now()));
    }
    gate.close(std::move(book));
  }
  auth::Gate gate;
};

// The gate outlives the server, so it is the first base.
class GrpcKeysTest : private ClosedGate, public GrpcFixture {
 protected:
  GrpcKeysTest() : GrpcFixture(&gate) {}

  // An empty message to the method, with this metadata.
  ::grpc::Status call(const std::string& method, const std::string& name = {}, const std::string& value = {}) {
    ::grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!name.empty()) {
      context.AddMetadata(name, value);
    }
    ::grpc::GenericStub stub(channel_);
    ::grpc::CompletionQueue queue;
    const ::grpc::Slice nothing("");
    const ::grpc::ByteBuffer request(&nothing, 1);
    auto reader = stub.PrepareUnaryCall(&context, method, request, &queue);
    reader->StartCall();
    ::grpc::ByteBuffer response;
    ::grpc::Status status;
    reader->Finish(&response, &status, &queue);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  }
  ::grpc::Status call(const std::string& method, Scope scope) {
    return call(method, "authorization", "Bearer secret-" + std::string(auth::scope_name(scope)));
  }
};

TEST_F(GrpcKeysTest, EveryMethodWantsAKeyButHealth) {
  const std::set<std::string> open = {"ServerLive", "ServerReady"};
  std::size_t closed = 0;
  for (const google::protobuf::FileDescriptor* file :
       {inference::ModelInferRequest::descriptor()->file(), admin::v1::Worker::descriptor()->file(),
        v1::RunAllRequest::descriptor()->file()}) {
    ASSERT_EQ(file->service_count(), 1);
    for (int index = 0; index < file->service(0)->method_count(); ++index) {
      const auto& method = *file->service(0)->method(index);
      const std::string path = "/" + file->service(0)->full_name() + "/" + method.name();
      if (open.contains(method.name())) {
        EXPECT_TRUE(call(path).ok()) << path;
        continue;
      }
      ++closed;
      const ::grpc::Status refused = call(path);
      EXPECT_EQ(refused.error_code(), StatusCode::UNAUTHENTICATED) << path;
      EXPECT_THAT(refused.error_message(), testing::HasSubstr("API key is required"));
      EXPECT_EQ(call(path, "authorization", "Bearer wrong").error_code(), StatusCode::UNAUTHENTICATED) << path;
      EXPECT_EQ(call(path, Scope::kMetrics).error_code(), StatusCode::PERMISSION_DENIED) << path;
      const bool is_admin = file->package() == "shoal.admin.v1";
      const bool is_join = method.name().find("JoinToken") != std::string::npos;
      const bool is_offered = method.name().find("SharedMemory") == std::string::npos &&
                              method.name().find("RepositoryModel") == std::string::npos &&
                              method.name() != "TraceSetting" && method.name() != "LogSettings";
      const Scope right = is_join ? Scope::kJoin : is_admin || !is_offered ? Scope::kAdmin : Scope::kInfer;
      const StatusCode code = call(path, right).error_code();
      EXPECT_TRUE(code != StatusCode::UNAUTHENTICATED && code != StatusCode::PERMISSION_DENIED) << path << code;
    }
  }
  EXPECT_GE(closed, 30U);
  EXPECT_TRUE(call("/grpc.health.v1.Health/Check").ok());
  EXPECT_EQ(call("/inference.GRPCInferenceService/ServerMetadata", "x-api-key", "secret-infer").error_code(),
            StatusCode::OK);
}

}  // namespace
}  // namespace shoal::api::grpc
