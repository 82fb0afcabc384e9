#include "server/api/grpc/classified.hpp"

#include <boost/asio/post.hpp>
#include <utility>

namespace shoal::api::grpc {

namespace asio = boost::asio;
using Answer = Result<dispatch::InferenceResponse>;

namespace {

Answer classify(const models::ModelVersion& model, const kserve::Classes& classes, Answer answer) {
  if (const Status status = kserve::classify(model, classes, answer->outputs); !status) {
    return fail(status.error());
  }
  return answer;
}

}  // namespace

dispatch::Completion classified(Services& services, models::ModelPtr model, kserve::Classes classes,
                                dispatch::Completion done) {
  if (classes.empty()) {
    return done;
  }
  return [&services, model = std::move(model), classes = std::move(classes),
          done = std::move(done)](Answer answer) mutable {
    if (!answer) {
      done(std::move(answer));
      return;
    }
    if (total_bytes(answer->outputs) <= services.limits.json_offload_bytes) {
      done(classify(*model, classes, std::move(answer)));
      return;
    }
    asio::post(services.cpu, [&services, model = std::move(model), classes = std::move(classes), done = std::move(done),
                              answer = std::move(answer)]() mutable {
      asio::post(services.main,
                 [done = std::move(done), result = classify(*model, classes, std::move(answer))]() mutable {
                   done(std::move(result));
                 });
    });
  };
}

}  // namespace shoal::api::grpc
