#include "server/api/http/submit.hpp"

#include <memory>
#include <optional>
#include <utility>

#include "server/api/http/called_back.hpp"

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
  auto result = co_await called_back<Result<InferenceResponse>>([&](auto done) {
    const std::uint64_t ticket = service.submit(std::move(request), std::move(done));
    exchange.on_disconnect = [&service, ticket] { service.cancel(ticket); };
  });
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
  co_await called_back<void>([&](auto all_done) {
    for (std::size_t index = 0; index < count; ++index) {
      auto done = [all_done, batch, index, stops_at_failure](Result<InferenceResponse> result) {
        batch->tickets[index] = 0;
        if (!result && !batch->error) {
          batch->error = result.error();
          if (stops_at_failure) {
            batch->cancel_open();
          }
        }
        batch->results[index] = std::move(result);
        if (--batch->open_count == 0) {
          all_done();
        }
      };
      batch->tickets[index] = service.submit(std::move(requests[index]), std::move(done));
    }
    exchange.on_disconnect = [batch] { batch->cancel_open(); };
  });
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
