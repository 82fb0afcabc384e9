// A server of the HTTP front end over an echo service, and a client of raw bytes, so that nothing in a client library
// hides what is sent.
#pragma once

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
#include "server/api/http/server.hpp"
#include "server/net/lane.hpp"
#include "tests/server/api/echo_services.hpp"
#include "tests/support/lane_access.hpp"

namespace shoal::api::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using nlohmann::json;
using namespace std::chrono_literals;

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  [[nodiscard]] json document() const { return json::parse(body); }
  [[nodiscard]] std::string header(const std::string& name) const {
    std::smatch match;
    const std::regex line("\r\n" + name + ": ([^\r]*)", std::regex::icase);
    return std::regex_search(head, match, line) ? match[1].str() : "";
  }
};

class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(context_) {
    socket_.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
  }
  void send(const std::string& bytes) { asio::write(socket_, asio::buffer(bytes)); }
  // Status 0 when the server closes instead.
  Answer receive(bool has_body = true) {
    Answer answer;
    boost::system::error_code error;
    asio::read_until(socket_, buffer_, "\r\n\r\n", error);
    if (error) {
      return answer;
    }
    std::string text(asio::buffers_begin(buffer_.data()), asio::buffers_end(buffer_.data()));
    const std::size_t split = text.find("\r\n\r\n") + 4;
    answer.head = text.substr(0, split);
    buffer_.consume(split);
    answer.status = std::stoi(answer.head.substr(9, 3));
    const std::string length = answer.header("Content-Length");
    const std::size_t size = length.empty() || !has_body ? 0 : std::stoul(length);
    if (buffer_.size() < size) {
      asio::read(socket_, buffer_, asio::transfer_exactly(size - buffer_.size()), error);
    }
    answer.body.assign(
        asio::buffers_begin(buffer_.data()),
        asio::buffers_begin(buffer_.data()) + static_cast<std::ptrdiff_t>(std::min(size, buffer_.size())));
    buffer_.consume(answer.body.size());
    return answer;
  }
  Answer ask(const std::string& method, const std::string& target, const std::string& body = "",
             const std::string& headers = "") {
    send(method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + headers + "\r\n" + body);
    return receive(method != "HEAD");
  }
  bool is_closed() {
    boost::system::error_code error;
    char byte = 0;
    socket_.read_some(asio::buffer(&byte, 1), error);
    return error == asio::error::eof || error == asio::error::connection_reset;
  }
  void close() { socket_.close(); }

 private:
  asio::io_context context_;
  tcp::socket socket_;
  asio::streambuf buffer_;
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    folder_ = std::filesystem::path(testing::TempDir()) / ("shoal_http_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "ort");
    std::ofstream(folder_ / "index.html") << "<!doctype html>agent";
    std::ofstream(folder_ / "ort/x.wasm") << std::string(700'000, 'w');
    auto snapshot = std::make_shared<models::Snapshot>(*echo_models());
    snapshot->blobs["abc"] = {"abc", folder_ / "ort/x.wasm", 700'000};
    snapshot_ = snapshot;
    limits_.header_timeout = 1s;
    limits_.infer_body_bytes = 2 << 20;
    limits_.body_chunks = 100;
  }
  ~HttpServerTest() override {
    on_lane([&] { server_->stop(); });
    cpu_.join();
    lane_.stop();
    server_.reset();
    std::filesystem::remove_all(folder_);
  }
  void listen() {
    services_ =
        std::make_unique<Services>(echo_services(echo_, families_, lane_, cpu_, [this] { return snapshot_; }, limits_));
    Router router;
    add_kserve_routes(router, *services_);
    add_repository_routes(router, *services_, nullptr);
    add_agent_routes(router, *services_, folder_);
    add_metrics_route(router, *services_);
    add_routes(router);
    ServerOptions options{.address = "127.0.0.1",
                          .port = 0,
                          .public_hosts = {"localhost"},
                          .cors = cors_,
                          .limits = limits_,
                          .upgrade = {},
                          .metrics = &families_};
    options.gate = gate();
    router.each([this](const std::string& method, const std::string& pattern, const Route& route) {
      routes_.push_back({method, pattern, route.scope});
    });
    options.upgrade = [this](tcp::socket socket, const net::UpgradeRequest& request, const std::string& /*peer*/) {
      upgraded_ = std::string(request["sec-websocket-key"]);
      socket.close();
    };
    server_ = std::make_unique<Server>(lane_.executor(), cpu_, std::move(router), options, Log::discard());
    on_lane([&] { ASSERT_TRUE(server_->listen()); });
  }
  // More of them, for tests of other routes.
  virtual void add_routes(Router& /*router*/) {}
  Client client() {
    if (!server_) {
      listen();
    }
    return Client(server_->port());
  }
  virtual auth::Gate* gate() { return nullptr; }
  template <class Action>
  void on_lane(Action action) {
    if (server_ == nullptr) {
      listen();
    }
    testing_support::on_lane(lane_, action);
  }
  template <class Condition>
  bool eventually(Condition condition) {
    return testing_support::eventually(lane_, condition);
  }

  std::filesystem::path folder_;
  models::SnapshotPtr snapshot_;
  Limits limits_;
  CorsPolicy cors_;
  metrics::Families families_;
  net::Lane lane_{"test"};
  asio::thread_pool cpu_{1};
  EchoService echo_{lane_.context()};
  std::unique_ptr<Services> services_;
  std::unique_ptr<Server> server_;
  std::string upgraded_;
  struct Listed {
    std::string method, pattern;
    auth::Scope scope;
  };
  std::vector<Listed> routes_;  // all that are served
};

}  // namespace shoal::api::http
