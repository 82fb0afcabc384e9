#include "server/api/http/submit.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <utility>

namespace shoal::api::http {

namespace asio = boost::asio;
using dispatch::InferenceRequest;
using dispatch::InferenceResponse;
using dispatch::InferenceService;

asio::awaitable<Result<InferenceResponse>> submit(InferenceService& service, InferenceRequest request,
                                                  Exchange& exchange) {
  if (exchange.is_gone) {
    co_return fail(Code::kCancelled, "the client has gone");
  }
  auto initiate = [&](auto handler) {
    // A Completion is copyable, the handler is not.
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    const std::uint64_t ticket = service.submit(std::move(request), [shared](Result<InferenceResponse> result) {
      auto resume = std::move(*shared);
      std::move(resume)(std::move(result));
    });
    exchange.on_disconnect = [&service, ticket] { service.cancel(ticket); };
  };
  auto result = co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Result<InferenceResponse>)>(
      std::move(initiate), asio::use_awaitable);
  exchange.on_disconnect = nullptr;
  co_return result;
}

namespace {

struct Batch {
  InferenceService& service;
  std::vector<std::uint64_t> tickets;  // 0: answered
  std::vector<InferenceResponse> responses;
  std::optional<Error> error;
  std::size_t open_count = 0;

  void cancel_open() {
    for (std::uint64_t& ticket : tickets) {
      if (const std::uint64_t open = std::exchange(ticket, 0); open != 0) {
        service.cancel(open);
      }
    }
  }
};

}  // namespace

asio::awaitable<Result<std::vector<InferenceResponse>>> submit_all(InferenceService& service,
                                                                   std::vector<InferenceRequest> requests,
                                                                   Exchange& exchange) {
  auto batch =
      std::make_shared<Batch>(Batch{service, std::vector<std::uint64_t>(requests.size()),
                                    std::vector<InferenceResponse>(requests.size()), std::nullopt, requests.size()});
  if (requests.empty()) {
    co_return std::vector<InferenceResponse>{};
  }
  if (exchange.is_gone) {
    co_return fail(Code::kCancelled, "the client has gone");
  }
  auto initiate = [&](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    for (std::size_t index = 0; index < requests.size(); ++index) {
      auto done = [shared, batch, index](Result<InferenceResponse> result) {
        batch->tickets[index] = 0;
        if (result) {
          batch->responses[index] = std::move(*result);
        } else if (!batch->error) {
          batch->error = std::move(result.error());
          batch->cancel_open();
        }
        if (--batch->open_count == 0) {
          auto resume = std::move(*shared);
          std::move(resume)();
        }
      };
      batch->tickets[index] = service.submit(std::move(requests[index]), std::move(done));
    }
    exchange.on_disconnect = [batch] { batch->cancel_open(); };
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(std::move(initiate), asio::use_awaitable);
  exchange.on_disconnect = nullptr;
  if (batch->error) {
    co_return fail(std::move(*batch->error));
  }
  co_return std::move(batch->responses);
}

}  // namespace shoal::api::http
