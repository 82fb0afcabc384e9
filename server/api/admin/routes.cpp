#include "server/api/admin/routes.hpp"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "server/api/http/called_back.hpp"
#include "server/api/http/errors.hpp"
#include "server/api/kserve/documents.hpp"
#include "server/core/split.hpp"
#include "server/wire/json_reader.hpp"
#include "server/wire/utf8.hpp"

namespace shoal::api::admin {
namespace {

namespace asio = boost::asio;
using http::ErrorStyle;
using http::Exchange;
using http::Request;
using http::Response;

Response json_response(const google::protobuf::Message& message) {
  Response response;
  response.content_type = "application/json";
  response.body = kserve::message_json(message).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return response;
}

template <class Message>
Response answer(const Result<Message>& result) {
  return result ? json_response(*result) : error_response(ErrorStyle::kKserve, result.error());
}

// protobuf leaves null out of a list and takes the members of a list in it for its own: "none" would become "all".
Status check_lists(std::string_view body) {
  using Kind = wire::JsonReader::Kind;
  wire::JsonReader reader(body);
  reader.enter_object();
  while (const auto key = reader.next_key()) {
    if (reader.peek() != Kind::kArray) {
      reader.skip_value();
      continue;
    }
    reader.enter_array();
    while (reader.next_element()) {
      if (reader.peek() == Kind::kArray || reader.peek() == Kind::kNull) {
        return fail(Code::kInvalidArgument, fmt::format("{:.100}: an entry is null or a list", *key), *key);
      }
      reader.skip_value();
    }
  }
  return reader.finish();
}

template <class Message>
Result<Message> read_body(const Request& request) {
  Message message;
  if (!request.body.empty()) {
    if (Status status = check_lists(request.body); !status) {
      return fail(std::move(status.error()));
    }
    const auto status = google::protobuf::util::JsonStringToMessage(request.body, &message);
    if (!status.ok()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("the body is not a {}: {:.300}", message.GetTypeName(), std::string(status.message())));
    }
  }
  return message;
}

// The slot of the path, as one escaped segment or as two, and the rest of the request from the body.
template <class Message>
Result<Message> read(const Request& request) {
  Result<Message> message = read_body<Message>(request);
  if (!message) {
    return message;
  }
  std::string slot(request.capture("slot"));
  if (slot.empty()) {
    slot = fmt::format("{}/{}", request.capture("kind"), request.capture("number"));
  }
  if (!wire::is_utf8(slot)) {
    return fail(Code::kInvalidArgument, "the path is not UTF-8");
  }
  message->set_slot(std::move(slot));
  return message;
}

// Of "after=12&limit=3"; kInvalidArgument for what is not a number or not known.
Result<v1::ListEventsRequest> read_query(std::string_view query) {
  v1::ListEventsRequest request;
  for (const std::string_view pair : split(query, '&')) {
    if (query.empty()) {
      break;
    }
    const std::size_t equals = pair.find('=');
    const std::string_view key = pair.substr(0, equals);
    const std::string_view text = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || (key != "after" && key != "limit")) {
      return fail(Code::kInvalidArgument, fmt::format("expected after=NUMBER or limit=NUMBER, got '{:.100}'", pair),
                  std::string(key.substr(0, 20)));
    }
    if (key == "after") {
      request.set_after(number);
    } else {
      request.set_limit(static_cast<std::uint32_t>(std::min<std::uint64_t>(number, 1U << 20)));
    }
  }
  return request;
}

asio::awaitable<Response> debug(AdminService& service, Exchange& exchange) {
  const auto request = read<v1::DebugWorkerRequest>(exchange.request);
  if (!request) {
    co_return error_response(ErrorStyle::kKserve, request.error());
  }
  const auto result = co_await http::called_back<Result<v1::DebugWorkerResponse>>(
      [&](auto done) { service.debug(*request, std::move(done)); });
  co_return answer(result);
}

asio::awaitable<Response> list(AdminService& service, Exchange&) { co_return json_response(service.list({})); }

asio::awaitable<Response> events(AdminService& service, Exchange& exchange) {
  const auto request = read_query(exchange.request.query);
  co_return request ? json_response(service.events(*request)) : error_response(ErrorStyle::kKserve, request.error());
}

asio::awaitable<Response> create_token(AdminService& service, Exchange& exchange) {
  const auto request = read_body<v1::CreateJoinTokenRequest>(exchange.request);
  co_return request ? answer(service.create_token(*request)) : error_response(ErrorStyle::kKserve, request.error());
}

asio::awaitable<Response> tokens(AdminService& service, Exchange&) { co_return json_response(service.tokens({})); }

asio::awaitable<Response> revoke_token(AdminService& service, Exchange& exchange) {
  v1::RevokeJoinTokenRequest request;
  if (!wire::is_utf8(exchange.request.capture("id"))) {
    co_return error_response(ErrorStyle::kKserve, {Code::kInvalidArgument, "the path is not UTF-8", "id"});
  }
  request.set_id(std::string(exchange.request.capture("id")));
  co_return answer(service.revoke_token(request));
}

template <class Message>
using Method = Result<v1::Worker> (AdminService::*)(const Message&);

template <class Message, Method<Message> method>
asio::awaitable<Response> on_worker(AdminService& service, Exchange& exchange) {
  const Result<Message> request = read<Message>(exchange.request);
  co_return request ? answer((service.*method)(*request)) : error_response(ErrorStyle::kKserve, request.error());
}

asio::awaitable<Response> list_poison(AdminService& service, Exchange&) {
  co_return json_response(service.list_poison({}));
}

asio::awaitable<Response> clear_poison(AdminService& service, Exchange& exchange) {
  v1::ClearPoisonRequest request;
  const std::string fingerprint(exchange.request.capture("fingerprint"));
  if (!wire::is_utf8(fingerprint)) {
    co_return error_response(ErrorStyle::kKserve, {Code::kInvalidArgument, "the path is not UTF-8", "fingerprint"});
  }
  request.set_fingerprint(fingerprint);
  co_return answer(service.clear_poison(request));
}

asio::awaitable<Response> server(AdminService& service, Exchange&) {
  co_return json_response(service.inspect_server({}));
}

// A method whose request is the body.
template <class Message, auto method>
asio::awaitable<Response> on_server(AdminService& service, Exchange& exchange) {
  const Result<Message> request = read_body<Message>(exchange.request);
  co_return request ? answer((service.*method)(*request)) : error_response(ErrorStyle::kKserve, request.error());
}

}  // namespace

void add_admin_routes(http::Router& router, Services& services, AdminService& service) {
  const auto add = [&](std::string_view method, const std::string& pattern,
                       asio::awaitable<Response> (*handle)(AdminService&, Exchange&),
                       auth::Scope scope = auth::Scope::kAdmin) {
    router.add(method, pattern,
               {.handler = [&service, handle](Exchange& exchange) { return handle(service, exchange); },
                .body_limit = services.limits.control_body_bytes,
                .errors = ErrorStyle::kKserve,
                .guarded = true,
                .scope = scope});
  };
  add("GET", "/admin/v1/workers", list);
  add("GET", "/admin/v1/events", events);
  add("GET", "/admin/v1/server", server);
  add("POST", "/admin/v1/drain", on_server<v1::DrainServerRequest, &AdminService::drain_server>);
  add("POST", "/admin/v1/resume", on_server<v1::ResumeServerRequest, &AdminService::resume_server>);
  add("POST", "/admin/v1/reload", on_server<v1::ReloadSettingsRequest, &AdminService::reload_settings>);
  add("POST", "/admin/v1/join/tokens", create_token, auth::Scope::kJoin);
  add("GET", "/admin/v1/join/tokens", tokens, auth::Scope::kJoin);
  add("DELETE", "/admin/v1/join/tokens/{id}", revoke_token, auth::Scope::kJoin);
  add("GET", "/admin/v1/poison", list_poison);
  add("DELETE", "/admin/v1/poison", clear_poison);
  add("DELETE", "/admin/v1/poison/{fingerprint}", clear_poison);
  for (const std::string worker : {"/admin/v1/workers/{slot}", "/admin/v1/workers/{kind}/{number}"}) {
    add("GET", worker, on_worker<v1::InspectWorkerRequest, &AdminService::inspect>);
    add("POST", worker + "/drain", on_worker<v1::DrainWorkerRequest, &AdminService::drain>);
    add("POST", worker + "/resume", on_worker<v1::ResumeWorkerRequest, &AdminService::resume>);
    add("POST", worker + "/recycle", on_worker<v1::RecycleWorkerRequest, &AdminService::recycle>);
    add("POST", worker + "/debug", debug);
    add("PUT", worker + "/budget", on_worker<v1::SetWorkerBudgetRequest, &AdminService::set_budget>);
    add("POST", worker + "/kill", on_worker<v1::KillWorkerRequest, &AdminService::kill>);
  }
}

}  // namespace shoal::api::admin
