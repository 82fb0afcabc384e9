// One gRPC call of any method, as its service sees it: what gRPC's callback API calls context and reactors, over a
// completion queue that one thread reads. The callback API's own threads pass each other the socket and every event of
// a call, which costs more than the call. Start...() and Finish() may be called on any thread, On...() come on the
// queue's.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <map>
#include <string>

namespace shoal::api::grpc {

class Call;
class UnaryReactor;

// Owned by the call; gone after OnDone().
class CallContext {
 public:
  explicit CallContext(Call& call) : call_(call) {}

  [[nodiscard]] const std::multimap<::grpc::string_ref, ::grpc::string_ref>& client_metadata() const;
  [[nodiscard]] std::chrono::system_clock::time_point deadline() const;
  void AddTrailingMetadata(const std::string& name, const std::string& value);
  // For answers that need to be told nothing.
  UnaryReactor* DefaultReactor();
  Call& call() { return call_; }

 private:
  Call& call_;
};

class Reactor {
 public:
  explicit Reactor(CallContext& context) : call_(context.call()) {}
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  virtual ~Reactor() = default;

  virtual void OnReadDone(bool /*ok*/) {}
  virtual void OnWriteDone(bool /*ok*/) {}
  virtual void OnCancel() {}
  // The last; nothing of the call may be used any more.
  virtual void OnDone() = 0;

 protected:
  Call& call() { return call_; }

 private:
  friend class Call;
  // A message that has come, for StartRead().
  virtual bool fill_from(::grpc::ByteBuffer& /*bytes*/) { return false; }

  Call& call_;
};

// The functions of a call that do not depend on its messages.
void start_read(Call& call);
void start_write(Call& call, const ::grpc::ByteBuffer& bytes);
void finish(Call& call, const ::grpc::Status& status);
// With the response that the call keeps, where the status is OK.
void answer(Call& call, const ::grpc::Status& status);
// With these bytes of a response.
void answer(Call& call, const ::grpc::ByteBuffer& response);

template <class Message>
bool serialize(const Message& message, ::grpc::ByteBuffer& bytes) {
  bool is_own = false;
  return ::grpc::SerializationTraits<Message>::Serialize(message, &bytes, &is_own).ok();
}

// One request, one response.
class UnaryReactor : public Reactor {
 public:
  using Reactor::Reactor;
  void Finish(const ::grpc::Status& status) { answer(call(), status); }
  // Well, with a response that is written already.
  void FinishWith(const ::grpc::ByteBuffer& response) { answer(call(), response); }
};

// One request, many responses. One write at a time, none when it is finished.
template <class Response>
class WriteReactor : public Reactor {
 public:
  using Reactor::Reactor;
  void Finish(const ::grpc::Status& status) { finish(call(), status); }

 protected:
  void StartWrite(const Response* response) {
    ::grpc::ByteBuffer bytes;
    serialize(*response, bytes);
    start_write(call(), bytes);
  }
};

template <class Request, class Response>
class BidiReactor : public WriteReactor<Response> {
 public:
  using WriteReactor<Response>::WriteReactor;

 protected:
  // One at a time; `request` is filled until OnReadDone().
  void StartRead(Request* request) {
    request_ = request;
    start_read(this->call());
  }

 private:
  bool fill_from(::grpc::ByteBuffer& bytes) override {
    return ::grpc::SerializationTraits<Request>::Deserialize(&bytes, request_).ok();
  }
  Request* request_ = nullptr;
};

}  // namespace shoal::api::grpc
