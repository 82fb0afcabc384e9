#include "server/api/grpc/call.hpp"

namespace shoal::api::grpc {

const std::multimap<::grpc::string_ref, ::grpc::string_ref>& CallContext::client_metadata() const {
  return call_.context_.client_metadata();
}

std::chrono::system_clock::time_point CallContext::deadline() const { return call_.context_.deadline(); }

void CallContext::AddTrailingMetadata(const std::string& name, const std::string& value) {
  call_.context_.AddTrailingMetadata(name, value);
}

UnaryReactor* CallContext::DefaultReactor() { return &call_.plain_; }

Call::Call(CallSource& source) : source_(source) {
  context_.AsyncNotifyWhenDone(&ended_);
  source_.service.RequestCall(&context_, &stream_, source_.queue.get(), source_.queue.get(), &come_);
}

void Call::run(::grpc::ServerCompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
    const Event& event = *static_cast<const Event*>(tag);
    (event.call->*event.happened)(ok);
  }
}

void Call::come(bool ok) {
  if (!ok) {
    delete this;  // the server shuts down: nobody came, and nothing else will
    return;
  }
  wait(source_);
  method_ = source_.methods.find(context_.method());
  if (method_ == nullptr) {
    stream_.Finish({::grpc::StatusCode::UNIMPLEMENTED, "there is no such method"}, &finished_);
  } else if (method_->make_messages) {
    messages_ = method_->make_messages();
    ++left_;
    stream_.Read(&incoming_, &request_read_);
  } else {
    begin();
  }
}

void Call::request_read(bool ok) {
  if (!ok) {
    stream_.Finish({::grpc::StatusCode::INVALID_ARGUMENT, "the call has no message"}, &finished_);
  } else if (!messages_->take_request(incoming_)) {
    stream_.Finish({::grpc::StatusCode::INVALID_ARGUMENT, "the message is not of the method's type"}, &finished_);
  } else {
    begin();
  }
  incoming_.Clear();
  leave();
}

void Call::begin() {
  reactor_ = method_->begin(shown_, messages_.get());
  if (is_cancelled_) {
    reactor_->OnCancel();
  }
}

void Call::read(bool ok) {
  const bool is_taken = ok && reactor_->fill_from(incoming_);
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
  call.stream_.Read(&call.incoming_, &call.read_);
}

void start_write(Call& call, const ::grpc::ByteBuffer& bytes) {
  ++call.left_;
  call.stream_.Write(bytes, &call.written_);
}

void finish(Call& call, const ::grpc::Status& status) { call.stream_.Finish(status, &call.finished_); }

void answer(Call& call, const ::grpc::Status& status) {
  ::grpc::ByteBuffer bytes;
  if (!status.ok()) {
    finish(call, status);
  } else if (!call.messages_->give_response(bytes)) {
    finish(call, {::grpc::StatusCode::INTERNAL, "the response cannot be encoded"});
  } else {
    call.stream_.WriteAndFinish(bytes, {}, status, &call.finished_);
  }
}

}  // namespace shoal::api::grpc
