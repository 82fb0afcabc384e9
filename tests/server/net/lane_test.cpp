#include "server/net/lane.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <future>

namespace shoal::net {
namespace {

TEST(LaneTest, RunsWhatIsPostedOnItsOwnThreadInOrder) {
  Lane lane("test lane");
  std::vector<int> order;
  std::promise<std::thread::id> ran;
  boost::asio::post(lane.context(), [&order] { order.push_back(1); });
  boost::asio::post(lane.context(), [&order, &ran] {
    order.push_back(2);
    ran.set_value(std::this_thread::get_id());
  });
  EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
  lane.stop();
  lane.stop();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(LaneTest, StopDropsWhatHasNotRun) {
  Lane lane("test lane");
  std::promise<void> entered;
  std::promise<void> leave;
  boost::asio::post(lane.context(), [&] {
    entered.set_value();
    leave.get_future().wait();
  });
  entered.get_future().wait();
  const auto held = std::make_shared<int>(1);
  boost::asio::post(lane.context(), [held] { FAIL(); });
  std::thread stopper([&lane] { lane.stop(); });
  while (!lane.context().stopped()) {
    std::this_thread::yield();
  }
  leave.set_value();
  stopper.join();
}

}  // namespace
}  // namespace shoal::net
