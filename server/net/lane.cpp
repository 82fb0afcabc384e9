#include "server/net/lane.hpp"

#include <pthread.h>

#include "server/core/check.hpp"

namespace shoal::net {

Lane::Lane(std::string name) : context_(1), work_(context_.get_executor()) {
  thread_ = std::thread([this, name = std::move(name)] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    context_.run();
  });
}

Lane::~Lane() { stop(); }

void Lane::stop() {
  SHOAL_CHECK(std::this_thread::get_id() != thread_.get_id(), "a lane cannot stop itself");
  work_.reset();
  context_.stop();
  if (thread_.joinable()) {
    thread_.join();
  }
}

}  // namespace shoal::net
