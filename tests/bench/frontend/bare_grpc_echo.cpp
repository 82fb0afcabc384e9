// The baseline of the gRPC front end: ModelInfer by gRPC's callback API, answered at once with the request's own bytes.
// Prints the port that it listens on; serves until it is killed.
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstdio>
#include <limits>
#include <memory>
#include <utility>

#include "inference/service.grpc.pb.h"

namespace {

class Echo final : public inference::GRPCInferenceService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* constant_request,
                                       inference::ModelInferResponse* response) override {
    // The message belongs to this call and is not const itself; its tensors are moved, as the server moves them.
    auto& request = const_cast<inference::ModelInferRequest&>(*constant_request);
    response->set_model_name(request.model_name());
    response->set_model_version("1");
    response->set_id(request.id());
    for (int index = 0; index < request.inputs_size(); ++index) {
      const auto& input = request.inputs(index);
      auto& output = *response->add_outputs();
      output.set_name(input.name());
      output.set_datatype(input.datatype());
      *output.mutable_shape() = input.shape();
    }
    *response->mutable_raw_output_contents() = std::move(*request.mutable_raw_input_contents());
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

int main() {
  Echo echo;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&echo);
  builder.SetMaxReceiveMessageSize(std::numeric_limits<int>::max());
  builder.SetMaxSendMessageSize(std::numeric_limits<int>::max());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return 1;
  }
  std::printf("%d\n", port);
  std::fflush(stdout);
  server->Wait();
}
