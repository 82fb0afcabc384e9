#include "server/api/grpc/call.hpp"

#include <grpcpp/impl/rpc_service_method.h>

namespace shoal::api::grpc {
namespace {

const ::grpc::Status kGarbled{::grpc::StatusCode::INVALID_ARGUMENT, "the message is not of the method's type"};

class GenericCall final : public Call {
 public:
  explicit GenericCall(CallSource& source) : Call(source, context_) {
    context_.AsyncNotifyWhenDone(&ended_);
    source.generic.RequestCall(&context_, &stream_, source.queue.get(), source.queue.get(), &come_);
  }

 private:
  void come(bool ok) override;
  void request_read(bool ok);
  void read(::grpc::ByteBuffer& bytes, void* event) override { stream_.Read(&bytes, event); }
  void write(const ::grpc::ByteBuffer& bytes, void* event) override { stream_.Write(bytes, event); }
  void end(const ::grpc::Status& status, void* event) override { stream_.Finish(status, event); }
  void end_with(const ::grpc::ByteBuffer& bytes, void* event) override {
    stream_.WriteAndFinish(bytes, {}, ::grpc::Status::OK, event);
  }

  ::grpc::GenericServerContext context_;
  ::grpc::GenericServerAsyncReaderWriter stream_{&context_};
  Event request_read_{this, static_cast<void (Call::*)(bool)>(&GenericCall::request_read)};
};

class RegisteredCall final : public Call {
 public:
  RegisteredCall(CallSource& source, int registered) : Call(source, context_), registered_(registered) {
    context_.AsyncNotifyWhenDone(&ended_);
    method_ = source.methods.find(source.registered.names().at(static_cast<std::size_t>(registered)));
    source.registered.request(registered, context_, incoming_, writer_, *source.queue, &come_);
  }

 private:
  void come(bool ok) override;
  // Its one request came with it, and its one response goes with its end.
  void read(::grpc::ByteBuffer& /*bytes*/, void* /*event*/) override {}
  void write(const ::grpc::ByteBuffer& /*bytes*/, void* /*event*/) override {}
  void end(const ::grpc::Status& status, void* event) override { writer_.FinishWithError(status, event); }
  void end_with(const ::grpc::ByteBuffer& bytes, void* event) override {
    writer_.Finish(bytes, ::grpc::Status::OK, event);
  }

  int registered_;
  ::grpc::ServerContext context_;
  ::grpc::ServerAsyncResponseWriter<::grpc::ByteBuffer> writer_{&context_};
};

void GenericCall::come(bool ok) {
  if (!ok) {
    delete this;  // the server shuts down: nobody came, and nothing else will
    return;
  }
  wait_for_any(source_);
  method_ = source_.methods.find(context_.method());
  if (method_ == nullptr) {
    stream_.Finish({::grpc::StatusCode::UNIMPLEMENTED, "there is no such method"}, &finished_);
  } else if (method_->make_messages) {
    ++left_;
    stream_.Read(&incoming_, &request_read_);
  } else {
    begin();
  }
}

void GenericCall::request_read(bool ok) {
  if (!ok) {
    stream_.Finish({::grpc::StatusCode::INVALID_ARGUMENT, "the call has no message"}, &finished_);
  } else if (take_request()) {
    begin();
  }
  leave();
}

void RegisteredCall::come(bool ok) {
  if (!ok) {
    delete this;
    return;
  }
  wait_for(source_, registered_);
  if (take_request()) {
    begin();
  }
}

}  // namespace

RegisteredMethods::RegisteredMethods(std::vector<const char*> names) : names_(std::move(names)) {
  for (int method = 0; method < static_cast<int>(names_.size()); ++method) {
    AddMethod(new ::grpc::internal::RpcServiceMethod(names_[static_cast<std::size_t>(method)],
                                                     ::grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
    MarkMethodRaw(method);
  }
}

const std::multimap<::grpc::string_ref, ::grpc::string_ref>& CallContext::client_metadata() const {
  return call_.context_.client_metadata();
}

std::chrono::system_clock::time_point CallContext::deadline() const { return call_.context_.deadline(); }

void CallContext::AddTrailingMetadata(const std::string& name, const std::string& value) {
  call_.context_.AddTrailingMetadata(name, value);
}

UnaryReactor* CallContext::DefaultReactor() { return &call_.plain_; }

Call::Call(CallSource& source, ::grpc::ServerContext& context) : source_(source), context_(context) { ++source_.calls; }

Call::~Call() {
  if (--source_.calls == 0) {
    source_.calls.notify_all();
  }
}

void Call::wait_for_any(CallSource& source) { new GenericCall(source); }

void Call::wait_for(CallSource& source, int registered) { new RegisteredCall(source, registered); }

void Call::run(::grpc::ServerCompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
    const Event& event = *static_cast<const Event*>(tag);
    (event.call->*event.happened)(ok);
  }
}

bool Call::take_request() {
  messages_ = method_->make_messages();
  const bool is_taken = messages_->take_request(incoming_);
  incoming_.Clear();
  if (!is_taken) {
    end(kGarbled, &finished_);
  }
  return is_taken;
}

void Call::begin() {
  reactor_ = method_->begin(shown_, messages_.get());
  if (is_cancelled_) {
    reactor_->OnCancel();
  }
}

void Call::message_read(bool ok) {
  const bool is_taken = ok && reactor_->fill_from(incoming_);
  if (ok && !is_taken) {
    is_garbled_ = true;
  }
  incoming_.Clear();
  reactor_->OnReadDone(is_taken);
  leave();
}

void Call::written(bool ok) {
  reactor_->OnWriteDone(ok);
  leave();
}

void Call::finished(bool /*ok*/) { leave(); }

void Call::ended(bool /*ok*/) {
  is_cancelled_ = context_.IsCancelled();
  if (is_cancelled_ && reactor_ != nullptr) {
    reactor_->OnCancel();
  }
  leave();
}

void Call::leave() {
  if (--left_ == 0) {
    if (reactor_ != nullptr) {
      reactor_->OnDone();
    }
    delete this;
  }
}

void start_read(Call& call) {
  ++call.left_;
  call.read(call.incoming_, &call.read_);
}

void start_write(Call& call, const ::grpc::ByteBuffer& bytes) {
  ++call.left_;
  call.write(bytes, &call.written_);
}

void finish(Call& call, const ::grpc::Status& status) {
  call.end(call.is_garbled_ && status.ok() ? kGarbled : status, &call.finished_);
}

void answer(Call& call, const ::grpc::Status& status) {
  ::grpc::ByteBuffer bytes;
  if (!status.ok()) {
    finish(call, status);
  } else if (!call.messages_->give_response(bytes)) {
    finish(call, {::grpc::StatusCode::INTERNAL, "the response cannot be encoded"});
  } else {
    answer(call, bytes);
  }
}

void answer(Call& call, const ::grpc::ByteBuffer& response) { call.end_with(response, &call.finished_); }

}  // namespace shoal::api::grpc
