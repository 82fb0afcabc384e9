// The calls of a server and the methods that they may name (reactor.hpp is what a service sees of them). A call owns
// itself: it waits for a client, then lives until gRPC is done with it. The completion queue's one thread runs it.
#pragma once

#include <google/protobuf/arena.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/async_generic_service.h>

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

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

struct CallSource {
  ::grpc::AsyncGenericService service;
  std::unique_ptr<::grpc::ServerCompletionQueue> queue;
  Methods methods;
};

class Call {
 public:
  // Waits for the next client; each that has come is followed by another call that waits. Outlived by `source`.
  static void wait(CallSource& source) { new Call(source); }
  // Runs calls on this thread until the queue has been shut down and is empty.
  static void run(::grpc::ServerCompletionQueue& queue);

  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  friend class CallContext;
  friend void start_read(Call& call);
  friend void start_write(Call& call, const ::grpc::ByteBuffer& bytes);
  friend void finish(Call& call, const ::grpc::Status& status);
  friend void answer(Call& call, const ::grpc::Status& status);

  struct Plain final : UnaryReactor {
    using UnaryReactor::UnaryReactor;
    void OnDone() override {}
  };
  struct Event {
    Call* call;
    void (Call::*happened)(bool ok);
  };

  explicit Call(CallSource& source);
  ~Call() = default;
  void come(bool ok);
  void request_read(bool ok);
  void begin();
  void read(bool ok);
  void written(bool ok);
  void finished(bool ok);
  void ended(bool ok);
  void leave();

  CallSource& source_;
  ::grpc::GenericServerContext context_;
  ::grpc::GenericServerAsyncReaderWriter stream_{&context_};
  CallContext shown_{*this};
  Plain plain_{shown_};
  const Method* method_ = nullptr;
  std::unique_ptr<Messages> messages_;
  ::grpc::ByteBuffer incoming_;
  Reactor* reactor_ = nullptr;
  bool is_cancelled_ = false;
  std::atomic<int> left_ = 2;  // events to come: the finish, the end, and what was started
  Event come_{this, &Call::come};
  Event request_read_{this, &Call::request_read};
  Event read_{this, &Call::read};
  Event written_{this, &Call::written};
  Event finished_{this, &Call::finished};
  Event ended_{this, &Call::ended};
};

}  // namespace shoal::api::grpc
