// shoal.v1.Inference over loopback with generated stubs.

#include <array>
#include <set>

#include "shoal/v1/inference.grpc.pb.h"
#include "tests/server/api/grpc/grpc_fixture.hpp"

namespace shoal::api::grpc {
namespace {

class RunAllTest : public GrpcFixture {
 protected:
  static v1::RunAllRequest requests(std::size_t count) {
    v1::RunAllRequest made;
    for (std::size_t index = 0; index < count; ++index) {
      inference::ModelInferRequest& item = *made.add_requests();
      item.set_model_name("echo_FP32");
      item.set_id(std::to_string(index));
      auto& input = *item.add_inputs();
      input.set_name("IN");
      input.set_datatype("FP32");
      input.add_shape(1);
      input.add_shape(2);
      const std::array<float, 2> values = {static_cast<float>(index), 0.5F};
      item.add_raw_input_contents(values.data(), sizeof(values));
    }
    return made;
  }
  template <class Condition>
  bool eventually(Condition condition) {
    return testing_support::eventually(lane_, condition);
  }

  std::unique_ptr<v1::Inference::Stub> stub_ = v1::Inference::NewStub(channel_);
};

TEST_F(RunAllTest, EachIsAnsweredOnceWithItsOwn) {
  v1::RunAllRequest request = requests(64);
  request.mutable_requests(7)->set_model_name("nobody");
  request.mutable_requests(9)->clear_raw_input_contents();
  ::grpc::ClientContext context;
  const auto stream = stub_->RunAll(&context, request);
  std::set<std::uint32_t> seen;
  v1::RunAllResponse response;
  while (stream->Read(&response)) {
    EXPECT_TRUE(seen.insert(response.index()).second) << response.index();
    if (response.index() == 7 || response.index() == 9) {
      EXPECT_EQ(response.failure().code(), response.index() == 7 ? core::v1::NOT_FOUND : core::v1::INVALID_ARGUMENT);
      EXPECT_FALSE(response.failure().message().empty());
      continue;
    }
    ASSERT_TRUE(response.has_response()) << response.failure().message();
    EXPECT_EQ(response.response().id(), std::to_string(response.index()));
    EXPECT_EQ(response.response().raw_output_contents(0),
              request.requests(static_cast<int>(response.index())).raw_input_contents(0));
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(seen.size(), 64U);
}

TEST_F(RunAllTest, NoneAndTooManyAreRefused) {
  for (const std::size_t count : {0U, 65U}) {
    ::grpc::ClientContext context;
    const auto stream = stub_->RunAll(&context, requests(count));
    v1::RunAllResponse response;
    EXPECT_FALSE(stream->Read(&response));
    const ::grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), ::grpc::StatusCode::INVALID_ARGUMENT) << count;
    EXPECT_NE(status.error_message().find("expected 1 to 64"), std::string::npos);
  }
}

TEST_F(RunAllTest, AClientThatCancelsCancelsAllOfThem) {
  testing_support::on_lane(lane_, [&] { echo_.hold = true; });
  ::grpc::ClientContext context;
  const auto stream = stub_->RunAll(&context, requests(5));
  ASSERT_TRUE(eventually([&] { return echo_.open_count() == 5; }));
  context.TryCancel();
  ASSERT_TRUE(eventually([&] { return echo_.open_count() == 0 && echo_.cancel_count == 5; }));
  EXPECT_EQ(stream->Finish().error_code(), ::grpc::StatusCode::CANCELLED);
}

TEST_F(RunAllTest, ItsDeadlineIsThatOfEach) {
  testing_support::on_lane(lane_, [&] { echo_.hold = true; });
  ::grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  const auto stream = stub_->RunAll(&context, requests(3));
  ASSERT_TRUE(eventually([&] { return echo_.open_count() == 3; }));
  testing_support::on_lane(lane_,
                           [&] { EXPECT_LT(echo_.last_request.deadline, Clock::now() + std::chrono::seconds(1)); });
  EXPECT_EQ(stream->Finish().error_code(), ::grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(eventually([&] { return echo_.open_count() == 0; }));
}

}  // namespace
}  // namespace shoal::api::grpc
