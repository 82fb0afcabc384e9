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
  std::vector<Result<InferenceResponse>> results;
  std::optional<Error> error = {};  // the first
  std::size_t open_count = 0;

  void cancel_open() {
    for (std::uint64_t& ticket : tickets) {
      if (const std::uint64_t open = std::exchange(ticket, 0); open != 0) {
        service.cancel(open);
      }
    }
  }
};

asio::awaitable<std::shared_ptr<Batch>> run(InferenceService& service, std::vector<InferenceRequest> requests,
                                            Exchange& exchange, bool stops_at_failure) {
  const std::size_t count = requests.size();
  std::vector<Result<InferenceResponse>> none(count, fail(Code::kCancelled, "the client has gone"));
  auto batch = std::make_shared<Batch>(Batch{.service = service,
                                             .tickets = std::vector<std::uint64_t>(count),
                                             .results = std::move(none),
                                             .open_count = count});
  if (count == 0) {
    co_return batch;
  }
  if (exchange.is_gone) {
    batch->error = batch->results.front().error();
    co_return batch;
  }
  auto initiate = [&](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    for (std::size_t index = 0; index < count; ++index) {
      auto done = [shared, batch, index, stops_at_failure](Result<InferenceResponse> result) {
        batch->tickets[index] = 0;
        if (!result && !batch->error) {
          batch->error = result.error();
          if (stops_at_failure) {
            batch->cancel_open();
          }
        }
        batch->results[index] = std::move(result);
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
  co_return batch;
}

}  // namespace

asio::awaitable<std::vector<Result<InferenceResponse>>> submit_each(InferenceService& service,
                                                                    std::vector<InferenceRequest> requests,
                                                                    Exchange& exchange) {
  const auto batch = co_await run(service, std::move(requests), exchange, false);
  co_return std::move(batch->results);
}

asio::awaitable<Result<std::vector<InferenceResponse>>> submit_all(InferenceService& service,
                                                                   std::vector<InferenceRequest> requests,
                                                                   Exchange& exchange) {
  const auto batch = co_await run(service, std::move(requests), exchange, true);
  if (batch->error) {
    co_return fail(std::move(*batch->error));
  }
  std::vector<InferenceResponse> responses;
  for (Result<InferenceResponse>& result : batch->results) {
    responses.push_back(*std::move(result));
  }
  co_return responses;
}

}  // namespace shoal::api::http
