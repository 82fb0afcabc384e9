// shoal.admin.v1.Admin over loopback with generated stubs.

#include "shoal/admin/v1/admin.grpc.pb.h"
#include "tests/server/api/grpc/grpc_fixture.hpp"

namespace shoal::api::grpc {
namespace {

namespace v1 = shoal::admin::v1;

class GrpcAdminTest : public GrpcFixture {
 protected:
  std::unique_ptr<v1::Admin::Stub> stub_ = v1::Admin::NewStub(channel_);
};

template <class Request>
Request of(const std::string& slot) {
  Request request;
  request.set_slot(slot);
  return request;
}

TEST_F(GrpcAdminTest, EachCallAsksItsFunction) {
  const std::string slot = "chromium/0";
  v1::Worker worker;
  const auto ask = [&](auto call, const auto& request) {
    ::grpc::ClientContext context;
    worker.Clear();
    const ::grpc::Status status = ((*stub_).*call)(&context, request, &worker);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(worker.slot(), slot);
  };
  ask(&v1::Admin::Stub::InspectWorker, of<v1::InspectWorkerRequest>(slot));
  ask(&v1::Admin::Stub::DrainWorker, of<v1::DrainWorkerRequest>(slot));
  ask(&v1::Admin::Stub::ResumeWorker, of<v1::ResumeWorkerRequest>(slot));
  ask(&v1::Admin::Stub::RecycleWorker, of<v1::RecycleWorkerRequest>(slot));
  ask(&v1::Admin::Stub::KillWorker, of<v1::KillWorkerRequest>(slot));
  v1::ListWorkersResponse workers;
  ::grpc::ClientContext list;
  EXPECT_TRUE(stub_->ListWorkers(&list, {}, &workers).ok());
  EXPECT_EQ(workers.workers_size(), 1);
  v1::ListEventsRequest after;
  after.set_after(7);
  v1::ListEventsResponse events;
  ::grpc::ClientContext follow;
  EXPECT_TRUE(stub_->ListEvents(&follow, after, &events).ok());
  EXPECT_EQ(events.events(0).sequence(), 8U);
  EXPECT_EQ(admin_.asked,
            (std::vector<std::string>{"inspect", "drain ", "resume", "recycle", "kill", "list", "events 7 0"}));
}

TEST_F(GrpcAdminTest, AnUnknownSlotIsNotFoundWithTheExactCode) {
  ::grpc::ClientContext context;
  v1::Worker worker;
  const ::grpc::Status status = stub_->KillWorker(&context, of<v1::KillWorkerRequest>("chromium/7"), &worker);
  EXPECT_EQ(status.error_code(), ::grpc::StatusCode::NOT_FOUND);
  EXPECT_NE(status.error_message().find("'chromium/7'"), std::string::npos);
  const auto trailer = context.GetServerTrailingMetadata().find("shoal-error-code");
  ASSERT_NE(trailer, context.GetServerTrailingMetadata().end());
  EXPECT_EQ(std::string(trailer->second.data(), trailer->second.size()), "NOT_FOUND");
}

}  // namespace
}  // namespace shoal::api::grpc
