// Of an AgentSession: from one connection to the next. An answer that was cut is dropped and comes again whole: either
// the agent still holds the work, or it is sent again and computed again. Either way the completion is called once, by
// the table.
#include <boost/asio/post.hpp>
#include <utility>

#include "server/pool/agent_session.hpp"
#include "server/wire/agent_messages.hpp"

namespace shoal::pool {

using agent::v1::Envelope;

void AgentSession::unbind() {
  if (socket_ != nullptr) {
    socket_->set_bulk_source({});
    socket_ = nullptr;
  }
  drop_engines();
  outbox_ = Outbox();
}

void AgentSession::abort() {
  if (socket_ != nullptr) {
    socket_->abort();
  }
}

void AgentSession::resume(net::WebSocket& socket, const std::set<std::uint64_t>& holding) {
  socket_ = &socket;
  socket_->set_bulk_source([this] { return outbox_.next_frame(); });
  last_message_ = Clock::now();
  answered_.clear();
  for (const std::uint64_t work_id : holding) {
    if (!table_.contains(work_id) && work_id < next_work_id_ && answered_.size() < config_.max_pending_work) {
      answered_.insert(work_id);
    }
  }
  for (const WorkTable::Request* request : table_.restart()) {
    send_again(*request, holding.contains(request->envelope.work_id()));
  }
  socket_->wake();
}

void AgentSession::send_again(const WorkTable::Request& request, bool is_held) {
  const std::uint64_t work_id = request.envelope.work_id();
  if (request.is_cancelled && !is_held) {
    boost::asio::post(executor_, table_.fail_one(work_id, Error{Code::kCancelled, "cancelled", {}}));
    return;
  }
  Envelope control;
  control.set_work_id(work_id);
  if (request.is_cancelled) {
    control.mutable_cancel();
    send_control(control);
  } else if (is_held) {
    if (request.mask) {
      send_control(*request.mask);
    }
  } else if (request.mask && request.mask->mask().position() > 0) {
    // It would begin again, and the masks before this one are gone.
    boost::asio::post(executor_, table_.fail_one(work_id, Error{Code::kWorkerLost, "the answer was lost", {}}));
  } else if (request.inputs != nullptr) {
    Envelope run = request.envelope;
    wire::deadline_to_wire(request.deadline, Clock::now(), *run.mutable_run());
    outbox_.add(std::move(run), request.inputs);
    if (request.mask) {
      outbox_.follow(work_id, *request.mask);
    }
  } else {
    if (request.envelope.has_load()) {
      // Its answer may be what was lost: loading what is loaded is an error there.
      const std::uint64_t unload = next_work_id_++;
      control.set_work_id(unload);
      control.mutable_unload()->set_instance(request.envelope.load().instance());
      if (send_control(control)) {
        table_.add_unload(unload, Clock::now() + config_.load_timeout);
        table_.keep(unload, {.envelope = control});
      }
    }
    send_control(request.envelope);
  }
}

}  // namespace shoal::pool
