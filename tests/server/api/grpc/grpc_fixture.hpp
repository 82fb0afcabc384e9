// The gRPC front end over loopback, before an echo service and an operators' service that are scripted.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

#include "server/api/grpc/server.hpp"
#include "tests/server/api/admin/scripted_admin.hpp"
#include "tests/server/api/echo_services.hpp"
#include "tests/support/lane_access.hpp"

namespace shoal::api::grpc {

class GrpcFixture : public testing::Test {
 protected:
  explicit GrpcFixture(auth::Gate* gate = nullptr)
      : server_(services_, ServerOptions{.address = "127.0.0.1", .port = 0, .admin = &admin_, .gate = gate}) {
    EXPECT_TRUE(server_.start());
    channel_ =
        ::grpc::CreateChannel("127.0.0.1:" + std::to_string(server_.port()), ::grpc::InsecureChannelCredentials());
  }
  ~GrpcFixture() override {
    std::promise<void> done;
    testing_support::on_lane(lane_, [&] { server_.drain(Clock::now(), [&done] { done.set_value(); }); });
    done.get_future().get();
    cpu_.join();
    lane_.stop();
  }

  net::Lane lane_{"test"};
  boost::asio::thread_pool cpu_{1};
  EchoService echo_{lane_.context()};
  metrics::Families families_;
  admin::ScriptedAdmin admin_;
  Services services_ = echo_services(echo_, families_, lane_, cpu_, echo_models);
  Server server_;
  std::shared_ptr<::grpc::Channel> channel_;
};

}  // namespace shoal::api::grpc
