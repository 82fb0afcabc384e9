// Joins the scheduler to the pool: the only place that moves requests. It carries out the scheduler's actions on the
// workers, answers each accepted request exactly once, sends work of a lost worker again, and warms new browsers up.
// Lives on the main lane; owned by the app.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/core/log.hpp"
#include "server/dispatch/candidates.hpp"
#include "server/dispatch/demand_meter.hpp"
#include "server/dispatch/inference.hpp"
#include "server/dispatch/open_request.hpp"
#include "server/dispatch/spot_check.hpp"
#include "server/dispatch/tally.hpp"
#include "server/dispatch/warm_runs.hpp"
#include "server/dispatch/warm_up.hpp"
#include "server/models/model.hpp"
#include "server/pool/event_log.hpp"
#include "server/pool/worker.hpp"
#include "server/schedule/quarantine.hpp"
#include "server/schedule/scheduler.hpp"

namespace shoal::metrics {
class Families;
}

namespace shoal::dispatch {

struct DispatcherOptions {
  schedule::SchedulerLimits limits;
  schedule::QuarantineLimits poison;                    // its max_losses is that of limits.max_attempts
  Duration default_timeout = std::chrono::seconds(30);  // of requests that name none
  WarmUp warm_up = WarmUp::kAll;
  SpotCheckOptions spot_check;
};

class Dispatcher final : public InferenceService, public pool::WorkerListener {
 public:
  // Restarts a browser; set before the first worker is ready.
  using Recycle = std::function<void(const std::string& slot, const std::string& reason)>;

  Dispatcher(boost::asio::any_io_executor main, DispatcherOptions options, metrics::Families& metrics, Log log);
  ~Dispatcher() override;

  // For what comes from now on; what is accepted and loaded stays.
  void set_options(DispatcherOptions options);
  void set_recycle(Recycle recycle) { recycle_ = std::move(recycle); }
  // Told of a lost worker before its requests are sent elsewhere; set as early.
  void set_lost(std::function<void(const std::string& slot)> lost) { lost_ = std::move(lost); }
  // Takes a worker out for good that gave a wrong result; set as early.
  void set_quarantine(Recycle quarantine) { quarantine_ = std::move(quarantine); }
  // What is served from now on: browsers warm up. Until the first call server_ready() is kUnavailable. Requests that
  // were accepted for other versions go on; their graphs stay until drop_graphs().
  void set_models(models::SnapshotPtr models);
  // Loads the model's default graph where a browser has it not, before set_models() names the model. False: no browser
  // is there that would load it ahead of a request. model_ready() tells how far it is.
  bool prepare(const models::ModelVersion& model);
  // Unloads the graphs whose names begin with `prefix` (instance_prefix()). Requires: no request needs them any more.
  void drop_graphs(const std::string& prefix);
  // Told of every instance that was loaded, failed or made room for another; outlives this. A lost browser's go with
  // it.
  void set_events(pool::EventLog& events) { events_ = &events; }
  // A slot that the pool is going to fill, and the backends it is allowed.
  void slot_configured(const std::string& slot, const std::vector<Backend>& allowed);
  // Bytes for all graphs of a slot, and of its browser's successors; 0 = no limit. Idle graphs beyond it are unloaded.
  void set_budget(const std::string& slot, std::uint64_t bytes);

  std::uint64_t submit(InferenceRequest request, Completion done) override;
  void cancel(std::uint64_t ticket) override;
  void finish(std::uint64_t ticket) override;
  void mask(std::uint64_t ticket, std::uint32_t position, std::string allowed) override;
  [[nodiscard]] Status model_ready(const models::ModelVersion& model) const override;
  [[nodiscard]] bool is_withheld(const models::ModelVersion& model) const override;
  [[nodiscard]] Status server_ready() const override;

  void worker_ready(pool::Worker& worker) override;
  void worker_worn(const std::string& slot) override;
  void worker_pressed(const std::string& slot, bool is_pressed) override { scheduler_.set_pressed(slot, is_pressed); }
  void worker_paused(const std::string& slot) override { worker_worn(slot); }
  void worker_resumed(const std::string& slot) override;
  void worker_lost(const std::string& slot, const std::string& reason) override;
  void slot_assigned(const std::string& slot, schedule::Duty duty) override;
  void slot_expected(const std::string& slot, const pool::WorkerState& like) override;

  // Whether the slot is given work. kOpen also warms it up.
  void set_intake(const std::string& slot, schedule::Intake intake);
  [[nodiscard]] const schedule::Slots& slots() const { return scheduler_.slots(); }
  // As Scheduler::backlog().
  [[nodiscard]] std::vector<schedule::Backlog> backlog(const std::vector<std::vector<std::string>>& groups) const {
    return scheduler_.backlog(groups);
  }

  // Requests that are refused because workers were lost with them: the list, and what operators take off it.
  [[nodiscard]] const schedule::Quarantine& quarantine() const { return poison_; }
  // How many were taken off: 0 or 1; of an empty fingerprint all.
  std::size_t clear_quarantine(const schedule::Fingerprint& fingerprint);

  // From now on submit() answers kUnavailable and server_ready() says so; what was accepted goes on. `idle` is called
  // once nothing is left, on the main lane, possibly from inside this call.
  void drain(std::function<void()> idle);
  // Answers everything that is open with `error`, now.
  void abandon(const Error& error);
  [[nodiscard]] std::size_t open_requests() const { return open_.size(); }
  // How many were submitted until now.
  [[nodiscard]] std::uint64_t requests() const { return next_ticket_ - 1; }
  [[nodiscard]] const Statistics& statistics() const { return tally_.statistics(); }

 private:
  void step();
  void arm_timer();
  void carry_out(const schedule::Action& action);
  void start_load(const std::string& slot, const Way& way);
  // The next of its warm runs, or its end.
  void go_on_warming(const std::shared_ptr<OpenLoad>& load);
  void warming_failed(const OpenLoad& load, Error error);
  // It is given requests now, or is a failed one.
  void load_ended(const OpenLoad& load, Status status);
  void start_run(const schedule::Action& action);
  void note_start(OpenRequest& open, const schedule::Action& action, TimePoint now);
  // A response before the last one.
  void run_gave(std::uint64_t id, pool::RunOutcome outcome, std::function<void()> more);
  void run_ended(std::uint64_t id, Result<pool::RunOutcome> outcome);
  // Each member's part of what the run gave. Empty: it could not be taken apart, and the members go one by one.
  std::vector<pool::RunOutcome> parts_of(const OpenRun& run, pool::RunOutcome outcome);
  void member_ended(OpenRequest& open, pool::RunOutcome part);
  void note_generation(const OpenRequest& open, const Result<InferenceResponse>& result);
  void send_singly(const OpenRun& run, const std::function<bool(std::uint64_t)>& is_waiting);
  // Takes the request out of its run; the last one to leave before it ends cancels it.
  void leave_run(OpenRequest& open);
  // Why the request is not tried, or nothing; says whether it must run alone.
  std::optional<Error> suspicion(const InferenceRequest& request, OpenRequest& open, schedule::Job& job);
  // Why requests with this fingerprint are not tried, or nothing; counts it.
  std::optional<Error> refusal_of(const std::string& model, const schedule::Fingerprint& fingerprint);
  // Answers those that wait in the queue and are the same as this one, which has just been quarantined.
  void refuse_copies(const OpenRequest& original);
  // A worker was lost with it: queued again, alone when it is on trial, or answered.
  void lost_with(OpenRequest& open, const Error& error);
  void answer(std::uint64_t ticket, Result<InferenceResponse> result);
  // False: the response is the answer as it is.
  bool begin_check(OpenRequest& open, InferenceResponse& response);
  // Answers; `open` is gone then.
  void end_check(OpenRequest& open, InferenceResponse ours);
  [[nodiscard]] const schedule::LoadReport* report_of(const OpenRequest& open) const;  // nullptr: not known
  // The order of a model's backends in this pool as it is, as guessed for the family.
  [[nodiscard]] Order order_of(const models::ModelVersion& model, std::optional<Family> family) const;
  [[nodiscard]] WarmUpRules warm_up_rules() const;
  void learn_traits(const pool::WorkerState& state);
  void warm_up(const std::string& slot);
  void warm_next();
  // Begins the load where there is room, or room can be made for what is to be kept.
  bool warm_one(const std::string& slot, const Way& way);
  void note(const std::string& slot, const schedule::Candidate& candidate, std::string from, std::string to,
            std::string reason = {});

  boost::asio::any_io_executor main_;
  DispatcherOptions options_;
  models::SnapshotPtr models_;  // null: not read yet
  metrics::Families& metrics_;
  Log log_;
  schedule::Scheduler scheduler_;
  schedule::Quarantine poison_;
  Tally tally_;
  SpotCheck spot_check_;
  Recycle recycle_;
  Recycle quarantine_;
  std::function<void(const std::string& slot)> lost_;
  pool::EventLog* events_ = nullptr;
  std::map<std::string, pool::Worker*> workers_;
  std::map<std::string, std::uint64_t> lives_;      // workers that each slot has had
  std::map<std::string, WarmUpQueue> warming_;      // by slot
  std::map<std::string, schedule::Traits> traits_;  // by slot, of its last browser
  // By what they depend on beside traits_: a family and what the model is offered on.
  mutable std::map<std::pair<std::optional<Family>, std::vector<Backend>>, Order> orders_;
  DemandMeter demand_;
  std::set<std::pair<std::string, std::string>> unwanted_;  // slots and what they load, to be unloaded once it is there
  std::map<std::uint64_t, std::unique_ptr<OpenRequest>> open_;
  std::map<std::uint64_t, OpenRun> runs_;
  std::uint64_t next_ticket_ = 1;
  std::uint64_t next_run_ = 1;
  std::function<void()> idle_;
  bool is_draining_ = false;
  bool is_stepping_ = false;
  boost::asio::steady_timer timer_;
  TimePoint armed_for_ = TimePoint::max();
  // Completions posted to the lane or held by workers look here before they touch this.
  std::shared_ptr<Dispatcher*> alive_;
};

}  // namespace shoal::dispatch
