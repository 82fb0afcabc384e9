// The calls of a server and the methods that they may name (reactor.hpp is what a service sees of them). A call owns
// itself: it waits for a client, then lives until gRPC is done with it. The completion queue's one thread runs it.
#pragma once

#include <google/protobuf/arena.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/async_unary_call.h>

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/api/grpc/reactor.hpp"

namespace shoal::api::grpc {

// The messages of a call that has one request.
class Messages {
 public:
  Messages() = default;
  Messages(const Messages&) = delete;
  Messages& operator=(const Messages&) = delete;
  virtual ~Messages() = default;
  virtual bool take_request(::grpc::ByteBuffer& bytes) = 0;
  virtual bool give_response(::grpc::ByteBuffer& bytes) const = 0;
};

template <class Request, class Response>
class MessagesOf final : public Messages {
 public:
  // Not the compiler's own, which would clear block_ first.
  MessagesOf() {}  // NOLINT(modernize-use-equals-default)
  bool take_request(::grpc::ByteBuffer& bytes) override {
    return ::grpc::SerializationTraits<Request>::Deserialize(&bytes, &request).ok();
  }
  bool give_response(::grpc::ByteBuffer& bytes) const override { return serialize(response, bytes); }

 private:
  // Small messages are here whole.
  std::array<char, 3072> block_;
  google::protobuf::Arena arena_{block_.data(), block_.size()};

 public:
  Request& request = *google::protobuf::Arena::CreateMessage<Request>(&arena_);
  Response& response = *google::protobuf::Arena::CreateMessage<Response>(&arena_);
};

struct Method {
  std::function<std::unique_ptr<Messages>()> make_messages;  // empty: the reactor reads for itself
  std::function<Reactor*(CallContext&, Messages*)> begin;
};

// By "/package.Service/Method".
class Methods {
 public:
  void add(std::string name, Method method) { methods_.emplace(std::move(name), std::move(method)); }
  // Requires: `service` outlives this. The function is called on the queue's thread.
  template <class Service, class Made, class Request, class Response>
  void add(std::string name, Service& service, Made* (Service::*function)(CallContext*, const Request*, Response*)) {
    using Both = MessagesOf<Request, Response>;
    add(std::move(name), {.make_messages = [] { return std::make_unique<Both>(); },
                          .begin = [&service, function](CallContext& context, Messages* messages) -> Reactor* {
                            auto& both = static_cast<Both&>(*messages);
                            return (service.*function)(&context, &both.request, &both.response);
                          }});
  }
  template <class Service, class Made, class Request>
  void add(std::string name, Service& service, Made* (Service::*function)(CallContext*, const Request*)) {
    using One = MessagesOf<Request, Request>;
    add(std::move(name), {.make_messages = [] { return std::make_unique<One>(); },
                          .begin = [&service, function](CallContext& context, Messages* messages) -> Reactor* {
                            return (service.*function)(&context, &static_cast<One&>(*messages).request);
                          }});
  }
  template <class Service, class Made>
  void add(std::string name, Service& service, Made* (Service::*function)(CallContext*)) {
    add(std::move(name),
        {.make_messages = {}, .begin = [&service, function](CallContext& context, Messages*) -> Reactor* {
           return (service.*function)(&context);
         }});
  }
  [[nodiscard]] const Method* find(const std::string& name) const {
    const auto found = methods_.find(name);
    return found == methods_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Method> methods_;
};

// Methods that gRPC knows by name. It tells of a call when it has read the request: fewer events than by the generic
// service, and nothing has to be looked up.
class RegisteredMethods final : public ::grpc::Service {
 public:
  // Of one request and one response each.
  explicit RegisteredMethods(std::vector<const char*> names);
  [[nodiscard]] const std::vector<const char*>& names() const { return names_; }
  void request(int method, ::grpc::ServerContext& context, ::grpc::ByteBuffer& message,
               ::grpc::ServerAsyncResponseWriter<::grpc::ByteBuffer>& writer, ::grpc::ServerCompletionQueue& queue,
               void* event) {
    RequestAsyncUnary(method, &context, &message, &writer, &queue, &queue, event);
  }

 private:
  std::vector<const char*> names_;
};

struct CallSource {
  explicit CallSource(std::vector<const char*> names) : registered(std::move(names)) {}

  ::grpc::AsyncGenericService generic;  // all methods that are not registered
  RegisteredMethods registered;
  std::unique_ptr<::grpc::ServerCompletionQueue> queue;
  Methods methods;
  std::atomic<int> calls = 0;  // that are there, those that wait for a client included

  // gRPC's server is shut down before its calls have ended; the queue must not be.
  void wait_until_no_call() const {
    for (int left = calls; left != 0; left = calls) {
      calls.wait(left);
    }
  }
};

class Call {
 public:
  // Waits for the next client; each that has come is followed by another call that waits. Outlived by `source`.
  static void wait_for_any(CallSource& source);
  // Of one registered method. Requires: it is one of source.methods, with one request and one response.
  static void wait_for(CallSource& source, int registered);
  // Runs calls on this thread until the queue has been shut down and is empty.
  static void run(::grpc::ServerCompletionQueue& queue);

  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  virtual ~Call();

 protected:
  struct Event {
    Call* call;
    void (Call::*happened)(bool ok);
  };

  // `context` is the derived class's.
  Call(CallSource& source, ::grpc::ServerContext& context);
  // The method's reactor takes over.
  void begin();
  // An event that was counted in left_ has come; the last one ends the call.
  void leave();
  // Whether incoming_ is of the method's type; if not, the call is ended.
  bool take_request();

  virtual void come(bool ok) = 0;
  virtual void read(::grpc::ByteBuffer& bytes, void* event) = 0;
  virtual void write(const ::grpc::ByteBuffer& bytes, void* event) = 0;
  virtual void end(const ::grpc::Status& status, void* event) = 0;
  virtual void end_with(const ::grpc::ByteBuffer& bytes, void* event) = 0;

  CallSource& source_;
  const Method* method_ = nullptr;
  std::unique_ptr<Messages> messages_;
  ::grpc::ByteBuffer incoming_;
  std::atomic<int> left_ = 2;  // events to come: the finish, the end, and what was started
  Event come_{this, &Call::come};
  Event ended_{this, &Call::ended};
  Event finished_{this, &Call::finished};

 private:
  friend class CallContext;
  friend void start_read(Call& call);
  friend void start_write(Call& call, const ::grpc::ByteBuffer& bytes);
  friend void finish(Call& call, const ::grpc::Status& status);
  friend void answer(Call& call, const ::grpc::Status& status);
  friend void answer(Call& call, const ::grpc::ByteBuffer& response);

  struct Plain final : UnaryReactor {
    using UnaryReactor::UnaryReactor;
    void OnDone() override {}
  };

  void message_read(bool ok);
  void written(bool ok);
  void finished(bool ok);
  void ended(bool ok);

  ::grpc::ServerContext& context_;
  CallContext shown_{*this};
  Plain plain_{shown_};
  Reactor* reactor_ = nullptr;
  bool is_cancelled_ = false;
  std::atomic<bool> is_garbled_ = false;  // a message was not of the method's type: nothing is read after it
  Event read_{this, &Call::message_read};
  Event written_{this, &Call::written};
};

}  // namespace shoal::api::grpc
