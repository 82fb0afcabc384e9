#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <optional>
#include <string>

#include "inference/service.grpc.pb.h"
#include "tests/bench/frontend/load.hpp"

namespace shoal::bench {
namespace {

struct Open {
  Clock::time_point sent;
  std::optional<grpc::ClientContext> context;
  inference::ModelInferResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<inference::ModelInferResponse>> reader;
};

class GrpcLoad {
 public:
  GrpcLoad(const Load& load, Tally& tally) : tally_(tally) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    stub_ = inference::GRPCInferenceService::NewStub(
        grpc::CreateCustomChannel(load.host + ":" + load.port, grpc::InsecureChannelCredentials(), arguments));
    request_.set_model_name(load.model);
    auto& input = *request_.add_inputs();
    input.set_name(load.input);
    input.set_datatype("FP32");
    input.add_shape(static_cast<std::int64_t>(load.values.size()));
    request_.add_raw_input_contents(load.values.data(), load.values.size() * sizeof(float));
  }

  void run(std::size_t concurrency) {
    std::vector<Open> clients(concurrency);
    for (Open& client : clients) {
      send(client);
    }
    void* tag = nullptr;
    bool ok = false;
    while (open_ > 0 && queue_.Next(&tag, &ok)) {
      --open_;
      Open& client = *static_cast<Open*>(tag);
      const auto now = Clock::now();
      if (std::string why = fault(client); !why.empty()) {
        tally_.failed(std::move(why));
        continue;
      }
      tally_.answered(client.sent, now);
      if (!tally_.is_over(now)) {
        send(client);
      }
    }
    queue_.Shutdown();
    while (queue_.Next(&tag, &ok)) {
    }
  }

 private:
  void send(Open& client) {
    client.context.emplace();
    client.context->set_deadline(std::chrono::system_clock::now() + kAnswerTimeout);
    client.response.Clear();
    client.sent = Clock::now();
    client.reader = stub_->AsyncModelInfer(&*client.context, request_, &queue_);
    client.reader->Finish(&client.response, &client.status, &client);
    ++open_;
  }

  // Empty when the answer is right.
  std::string fault(const Open& client) {
    if (!client.status.ok()) {
      return "status " + std::to_string(client.status.error_code()) + ": " + client.status.error_message();
    }
    const auto& outputs = client.response.raw_output_contents();
    const std::string& sent = request_.raw_input_contents(0);
    if (outputs.size() != 1 || outputs[0].size() != sent.size()) {
      return "the answer has " + std::to_string(outputs.size()) + " tensors, or one of another size";
    }
    if (!has_compared_ && outputs[0] != sent) {
      return "the answer is not the tensor that was sent";
    }
    has_compared_ = true;
    return {};
  }

  Tally& tally_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  inference::ModelInferRequest request_;
  grpc::CompletionQueue queue_;
  std::size_t open_ = 0;
  bool has_compared_ = false;
};

}  // namespace

void load_grpc(const Load& load, Tally& tally) { GrpcLoad(load, tally).run(load.concurrency); }

}  // namespace shoal::bench
