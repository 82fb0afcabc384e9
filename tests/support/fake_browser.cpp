#include "tests/support/fake_browser.hpp"

#include <unistd.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "server/wire/frame.hpp"
#include "tests/support/loopback_websocket.hpp"

namespace shoal::testing_support {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using agent::v1::Envelope;
using asio::ip::tcp;

namespace {

std::string query_value(const std::string& url, const std::string& name) {
  const std::size_t begin = url.find(name + "=");
  if (begin == std::string::npos) {
    return {};
  }
  std::string value = url.substr(begin + name.size() + 1);
  value.resize(std::min(value.size(), value.find('&')));
  if (const std::size_t slash = value.find("%2F"); slash != std::string::npos) {
    value.replace(slash, 3, "/");
  }
  return value;
}

std::string hello(const std::string& url, const std::string& resume_token = {},
                  const std::vector<std::uint64_t>& holding = {}) {
  Envelope envelope;
  agent::v1::Hello& message = *envelope.mutable_hello();
  message.set_protocol(wire::kAgentProtocol);
  const char* build = std::getenv("FAKE_AGENT_BUILD");
  message.set_build(build == nullptr ? "" : build);
  message.set_slot(query_value(url, "slot"));
  if (resume_token.empty()) {
    message.set_token(query_value(url, "token"));
  }
  message.set_resume_token(resume_token);
  message.mutable_holding()->Add(holding.begin(), holding.end());
  message.set_user_agent("fake");
  message.mutable_capabilities()->set_wasm_simd(true);
  return wire::encode_frame(envelope);
}

// One write at a time, from either coroutine.
class Pen {
 public:
  explicit Pen(Client& client) : client_(client) {}
  asio::awaitable<bool> write(std::string message) {
    asio::steady_timer timer(client_.get_executor());
    while (busy_) {
      timer.expires_after(std::chrono::milliseconds(1));
      co_await timer.async_wait(asio::use_awaitable);
    }
    busy_ = true;
    const bool written = co_await write_message(client_, std::move(message));
    busy_ = false;
    co_return written;
  }

 private:
  Client& client_;
  bool busy_ = false;
};

struct Link {
  explicit Link(const asio::any_io_executor& executor) : client(executor), pen(client) {}
  Client client;
  Pen pen;
};

asio::awaitable<std::shared_ptr<Link>> open_link(std::string url, std::string first) {
  auto link = std::make_shared<Link>(co_await asio::this_coro::executor);
  const std::string origin = url.substr(0, url.find('/', 7));
  const auto port = static_cast<std::uint16_t>(std::stoi(origin.substr(origin.rfind(':') + 1)));
  if (!co_await connect(link->client, {asio::ip::address_v4::loopback(), port}, origin) ||
      !co_await write_message(link->client, std::move(first))) {
    std::_Exit(1);
  }
  co_return link;
}

asio::awaitable<void> beat(std::shared_ptr<Link> link) {
  Pen& pen = link->pen;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  Envelope envelope;
  envelope.mutable_heartbeat()->set_wasm_bytes(1234);
  while (co_await pen.write(wire::encode_frame(envelope))) {
    timer.expires_after(std::chrono::milliseconds(50));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

struct Received {
  agent::v1::Run run;
  std::string bytes;
  std::uint64_t expected = 0;
};

asio::awaitable<void> answer_run(Pen& pen, std::uint64_t work_id, Received received) {
  const std::string& instance = received.run.instance();
  Envelope answer;
  answer.set_work_id(work_id);
  if (instance == "never") {
    co_return;
  }
  if (instance == "die") {
    std::_Exit(1);
  }
  if (instance == "stop") {
    raise(SIGSTOP);
  }
  if (instance == "garbage") {
    co_await pen.write("garbage");
    co_return;
  }
  if (instance == "leave") {
    answer.mutable_leaving()->set_reason("asked to");
    co_await pen.write(wire::encode_frame(answer));
    co_return;
  }
  if (instance == "error") {
    answer.mutable_error()->set_code(core::v1::OPERATOR_NOT_SUPPORTED);
    answer.mutable_error()->set_message("no such operator");
    co_await pen.write(wire::encode_frame(answer));
    co_return;
  }
  *answer.mutable_output()->mutable_tensors() = received.run.inputs();
  std::size_t offset = 0;
  do {
    const std::string_view chunk = std::string_view(received.bytes).substr(offset, wire::kMaxChunkBytes);
    co_await pen.write(wire::encode_frame(answer, chunk));
    answer.mutable_chunk();
    offset += chunk.size();
  } while (offset < received.bytes.size());
  answer.mutable_end()->set_compute_us(7);
  co_await pen.write(wire::encode_frame(answer));
}

struct State {
  std::string resume_token, engine_token;
  bool may_come_back = false;
};

// The engine's own connection; what a run's bytes say is done there.
asio::awaitable<void> own_connection(std::string url, std::shared_ptr<Link> main, State& state) {
  Envelope first;
  first.mutable_attach()->set_slot(query_value(url, "slot"));
  first.mutable_attach()->set_token(state.engine_token);
  first.mutable_attach()->set_backend("wasm");
  const std::shared_ptr<Link> own = co_await open_link(url, wire::encode_frame(first));
  while (const std::optional<std::string> message = co_await read_message(own->client)) {
    const auto frame = wire::decode_frame(*message);
    if (!frame || !frame->envelope.has_run()) {
      std::_Exit(1);
    }
    Envelope answer;
    answer.set_work_id(frame->envelope.work_id());
    if (frame->payload == "drop") {
      state.may_come_back = true;
      own->client.next_layer().close();
      main->client.next_layer().close();
      co_return;
    }
    if (frame->payload == "breach") {
      answer.mutable_heartbeat();
    } else {
      *answer.mutable_output()->mutable_tensors() = frame->envelope.run().inputs();
      answer.mutable_output()->mutable_end()->set_compute_us(8);
    }
    const std::string_view payload = answer.has_output() ? frame->payload : std::string_view();
    co_await own->pen.write(wire::encode_frame(answer, payload));
  }
}

asio::awaitable<void> agent(std::string url) {
  const auto executor = co_await asio::this_coro::executor;
  std::shared_ptr<Link> link = co_await open_link(url, hello(url));
  std::map<std::uint64_t, Received> runs;
  State state;
  bool was_cut = false;
  asio::co_spawn(executor, beat(link), asio::detached);
  for (;;) {
    Pen& pen = link->pen;
    const std::optional<std::string> message = co_await read_message(link->client);
    if (!message && std::exchange(state.may_come_back, false)) {
      link = co_await open_link(url, hello(url, state.resume_token));
      asio::co_spawn(executor, beat(link), asio::detached);
      continue;
    }
    if (!message) {
      std::_Exit(0);
    }
    const auto frame = wire::decode_frame(*message);
    if (!frame) {
      std::fprintf(stderr, "fake agent: %s\n", frame.error().message.c_str());
      std::_Exit(1);
    }
    const std::uint64_t work_id = frame->envelope.work_id();
    Envelope answer;
    answer.set_work_id(work_id);
    switch (frame->envelope.body_case()) {
      case Envelope::kWelcome:
        state.resume_token = frame->envelope.welcome().resume_token();
        state.engine_token = frame->envelope.welcome().engine_token();
        break;
      case Envelope::kLoad:
        if (frame->envelope.load().instance() == "own") {
          asio::co_spawn(executor, own_connection(url, link, state), asio::detached);
        }
        (*answer.mutable_end()->mutable_loaded()->mutable_nodes())["wasm"] = 3;
        co_await pen.write(wire::encode_frame(answer));
        break;
      case Envelope::kUnload:
        answer.mutable_end();
        co_await pen.write(wire::encode_frame(answer));
        break;
      case Envelope::kCancel:
        runs.erase(work_id);
        answer.mutable_error()->set_code(core::v1::CANCELLED);
        answer.mutable_error()->set_message("cancelled in the agent");
        co_await pen.write(wire::encode_frame(answer));
        break;
      case Envelope::kRun:
      case Envelope::kChunk: {
        Received& received = runs[work_id];
        if (frame->envelope.has_run()) {
          received.run = frame->envelope.run();
          for (const auto& tensor : received.run.inputs()) {
            received.expected += tensor.byte_size();
          }
        }
        received.bytes += frame->payload;
        if (received.bytes.size() >= received.expected) {
          auto complete = runs.extract(work_id);
          const std::string instance = complete.mapped().run.instance();
          if (instance == "gone") {
            link->client.next_layer().close();
            asio::steady_timer forever(executor, std::chrono::hours(1));
            co_await forever.async_wait(asio::use_awaitable);
          }
          if ((instance == "forget" || instance == "hold") && !std::exchange(was_cut, true)) {
            link->client.next_layer().close();
            const std::vector<std::uint64_t> holding(instance == "hold" ? 1 : 0, work_id);
            link = co_await open_link(url, hello(url, state.resume_token, holding));
            asio::co_spawn(executor, beat(link), asio::detached);
            if (instance == "forget") {
              break;
            }
          }
          co_await answer_run(link->pen, work_id, std::move(complete.mapped()));
        }
        break;
      }
      default:
        break;
    }
  }
}

[[noreturn]] void browse(const std::string& url) {
  asio::io_context context(1);
  asio::co_spawn(context, agent(url), asio::detached);
  try {
    context.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fake agent: %s\n", error.what());
  }
  std::_Exit(0);
}

}  // namespace

int fake_driver_main() {
  asio::io_context context(1);
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  std::printf("Starting on port 0\nFakeDriver was started successfully on port %u.\n",
              static_cast<unsigned>(acceptor.local_endpoint().port()));
  std::fflush(stdout);
  signal(SIGCHLD, SIG_IGN);
  std::string url;
  pid_t browser = 0;
  for (;;) {
    tcp::socket socket = acceptor.accept();
    boost::beast::flat_buffer buffer;
    http::request<http::string_body> request;
    boost::system::error_code error;
    http::read(socket, buffer, request, error);
    if (error) {
      continue;
    }
    nlohmann::json value = nullptr;
    auto status = http::status::ok;
    if (request.target() == "/session") {
      value = {{"sessionId", "fake"}, {"capabilities", {{"browserName", "fake"}, {"browserVersion", "1"}}}};
    } else if (request.target().ends_with("/url") && request.method() == http::verb::get) {
      value = url;
      if (browser <= 0 || kill(browser, 0) != 0) {
        status = http::status::not_found;
        value = {{"error", "invalid session id"}, {"message", "the browser is gone"}};
      }
    } else if (request.target().ends_with("/url")) {
      url = nlohmann::json::parse(request.body())["url"];
      if (browser > 0) {
        kill(browser, SIGKILL);  // another page takes its place
      }
      browser = fork();
      if (browser == 0) {
        acceptor.close();
        socket.close();
        browse(url);
      }
    }
    http::response<http::string_body> response(status, 11, nlohmann::json{{"value", value}}.dump());
    response.prepare_payload();
    http::write(socket, response, error);
  }
}

}  // namespace shoal::testing_support
