// Before the dispatcher: requests of stateful models (config.pbtxt's sequence_batching) pass it in the order of their
// sequence and go where the sequence is; those of other models pass as they are. Lives on the main lane; owned by the
// app.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "server/dispatch/inference.hpp"
#include "server/dispatch/sequences.hpp"

namespace shoal::dispatch {

struct SequenceGateOptions {
  Duration default_timeout = std::chrono::seconds(30);  // of requests that name none
  std::size_t max_waiting = 1024;                       // steps of all sequences that wait for the one before them
  std::uint64_t max_waiting_bytes = std::uint64_t{512} << 20;  // of their inputs
};

class SequenceGate final : public InferenceService {
 public:
  SequenceGate(boost::asio::any_io_executor main, InferenceService& behind, SequenceGateOptions options);
  ~SequenceGate() override;

  std::uint64_t submit(InferenceRequest request, Completion done) override;
  void cancel(std::uint64_t ticket) override;
  // Sequences do not generate.
  void finish(std::uint64_t ticket) override { behind_.finish(ticket); }
  void mask(std::uint64_t ticket, std::uint32_t position, std::string allowed) override {
    behind_.mask(ticket, position, std::move(allowed));
  }
  // Neither model is ready while nothing is taken.
  [[nodiscard]] Status model_ready(const models::ModelVersion& model) const override;
  [[nodiscard]] bool is_withheld(const models::ModelVersion& model) const override {
    return !closed_.empty() || behind_.is_withheld(model);
  }
  [[nodiscard]] Status server_ready() const override;

  // Not ready from now on, in these words; requests are still taken. Empty: as before.
  void set_leaving(std::string why) { leaving_ = std::move(why); }
  // From now on submit() answers kUnavailable in these words, for every model, until they are empty; what was accepted
  // goes on.
  void set_closed(std::string why) { closed_ = std::move(why); }
  // For those that come from now on.
  void set_options(SequenceGateOptions options) { options_ = options; }

  // As set_closed() for good, for a server that is shutting down; steps that wait go on. `idle` is called once no
  // sequence has any, possibly from inside this call.
  void drain(std::function<void()> idle);
  // Answers the steps that wait.
  void abandon(const Error& error);
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  // Requests of the sequences that were there are answered with kWorkerLost: what the worker knew of them is gone.
  // After the answers that are on their way.
  void worker_lost(const std::string& slot);
  [[nodiscard]] std::size_t live() const { return sequences_.live(); }

 private:
  struct Step {
    InferenceRequest request;  // until it runs
    Completion done;
    TimePoint deadline;
    std::uint64_t bytes = 0;
    std::uint64_t inner = 0;  // the ticket behind the gate; 0 = it waits
    bool is_lost = false;     // it runs on a worker that has gone
  };

  void run(const Sequences::Turn& turn);
  void ended(std::uint64_t ticket, Result<InferenceResponse> result);
  void apply(const Sequences::After& after, const Error& error);
  // Answers it, not from inside the call that led here.
  void answer(std::uint64_t ticket, Error error);
  void forget_sequences_of(const std::string& slot);
  void leave_waiting(std::uint64_t ticket, const Step& step);
  void note_idle();
  void drop_late();
  void arm_timer();

  boost::asio::any_io_executor main_;
  InferenceService& behind_;
  SequenceGateOptions options_;
  Sequences sequences_;
  std::map<std::uint64_t, Step> steps_;
  std::set<std::pair<TimePoint, std::uint64_t>> waiting_;  // by deadline
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t next_ticket_;
  std::function<void()> idle_;
  std::string leaving_;
  std::string closed_;
  boost::asio::steady_timer timer_;
  // Completions and timers look here before they touch this.
  std::shared_ptr<SequenceGate*> alive_;
};

}  // namespace shoal::dispatch
