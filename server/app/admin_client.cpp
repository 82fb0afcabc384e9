#include "server/app/admin_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "server/net/deadline.hpp"

namespace shoal::app {

namespace asio = boost::asio;

namespace {

using nlohmann::ordered_json;

Result<ordered_json> parse(const HttpReply& answer, const std::string& address) {
  ordered_json document = ordered_json::parse(answer.body, nullptr, false);
  if (answer.status == 200 && !document.is_discarded()) {
    return document;
  }
  if (document.is_object() && document.contains("error") && document["error"].is_string() &&
      document.contains("code")) {
    const auto name = std::ranges::find(kCodeNames, document.value("code", ""));
    return fail(name == kCodeNames.end() ? Code::kInternal : static_cast<Code>(name - kCodeNames.begin() + 1),
                document["error"].get<std::string>());
  }
  return fail(Code::kUnavailable,
              fmt::format("{} answered with status {}; is it a Shoal server?", address, answer.status));
}

}  // namespace

Result<AdminClient> AdminClient::to(std::string_view server) {
  auto call = HttpCall::to(server);
  if (!call) {
    return fail(Code::kInvalidArgument, "--server: " + call.error().message, "--server");
  }
  return AdminClient(*std::move(call));
}

Result<AdminClient> AdminClient::to_chosen(const std::string& server,
                                           const std::function<Result<std::string>()>& otherwise) {
  const Result<std::string> named = server.empty() ? otherwise() : Result<std::string>(server);
  return named ? to(*named) : fail(named.error());
}

Result<ordered_json> AdminClient::send(const char* method, const std::string& path, const std::string& body,
                                       Duration patience) const {
  asio::io_context context(1);
  std::optional<Result<HttpReply>> answer;
  asio::co_spawn(
      context,
      net::with_deadline(Clock::now() + patience, fmt::format("{} {}", method, path), call_.send(method, path, body)),
      [&](const std::exception_ptr& thrown, Result<HttpReply> result) {
        answer = thrown ? Result<HttpReply>(fail(Code::kInternal, "the request failed")) : std::move(result);
      });
  context.run();
  return *answer ? parse(**answer, address()) : Result<ordered_json>(fail(std::move(answer->error())));
}

}  // namespace shoal::app
