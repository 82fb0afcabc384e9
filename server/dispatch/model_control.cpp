#include "server/dispatch/model_control.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "server/dispatch/candidates.hpp"

namespace shoal::dispatch {
namespace {

namespace asio = boost::asio;

constexpr auto kBuildLook = std::chrono::milliseconds(20);
constexpr auto kCollectLook = std::chrono::milliseconds(100);

// Of a change that failed: a folder's own fault is no matter of what the client asked for, and not told as such.
Code code_of(Code code) {
  return code == Code::kNotFound || code == Code::kUnavailable ? Code::kInvalidArgument : code;
}

}  // namespace

template <class Work, class Then>
void ModelControl::off_lane(Work work, Then then) {
  asio::post(reader_, [this, work = std::move(work), then = std::move(then)]() mutable {
    asio::post(main_, [value = work(), then = std::move(then)]() mutable { then(std::move(value)); });
  });
}

ModelControl::ModelControl(asio::any_io_executor main, models::RepositoryOptions repository,
                           ModelControlOptions options, Dispatcher& dispatcher, Log log)
    : main_(std::move(main)),
      options_(std::move(options)),
      dispatcher_(dispatcher),
      log_(log),
      repository_(std::move(repository), std::move(log)),
      snapshot_(std::make_shared<models::Snapshot>(models::Snapshot{.is_read = false, .models = {}, .blobs = {}})),
      build_timer_(main_),
      collect_timer_(main_),
      poll_timer_(main_) {}

void ModelControl::start() { ask({.kind = Change::Kind::kStart, .model = {}}); }

void ModelControl::stop() {
  is_stopped_ = true;
  poll_timer_.cancel();
  collect_timer_.cancel();
}

ControlView ModelControl::view() const { return {.loading = changing_, .unloading = served_.retiring()}; }

void ModelControl::load(LoadRequest request, Done done) {
  ask({.kind = Change::Kind::kLoad,
       .model = std::move(request.model),
       .config = std::move(request.config),
       .done = std::move(done)});
}

void ModelControl::unload(std::string model, Done done) {
  ask({.kind = Change::Kind::kUnload, .model = std::move(model), .done = std::move(done)});
}

void ModelControl::ask(Change change) {
  Status status;
  if (change.done && options_.mode != ControlMode::kExplicit) {
    status = fail(Code::kUnavailable,
                  fmt::format("explicit model load / unload is not allowed: models.control is '{}', not 'explicit'",
                              options_.mode == ControlMode::kPoll ? "poll" : "none"));
  } else if (change.done && waiting_.size() >= options_.max_waiting) {
    status = fail(Code::kOverloaded, fmt::format("{} changes of models are waiting already", waiting_.size()));
  } else if (change.done) {
    status = models::check_model_name(change.model);
  }
  if (!status) {
    asio::post(main_, [done = std::move(change.done), status] { done(status); });
    return;
  }
  waiting_.push_back(std::move(change));
  asio::post(main_, [this] { next(); });
}

void ModelControl::next() {
  if (is_busy_ || waiting_.empty()) {
    return;
  }
  is_busy_ = true;
  Change change = std::move(waiting_.front());
  waiting_.pop_front();
  switch (change.kind) {
    case Change::Kind::kStart:
      start_read(std::move(change));
      break;
    case Change::Kind::kLoad: {
      changing_ = change.model;
      auto read = [this, model = change.model, config = change.config] {
        auto versions = repository_.read(model, config);
        repository_.save_digests();
        return versions;
      };
      off_lane(std::move(read), [this, change = std::move(change)](Result<ServedModels::Versions> versions) mutable {
        load_read(std::move(change), std::move(versions));
      });
      break;
    }
    case Change::Kind::kUnload: {
      Status status = served_.unload(change.model);
      if (status) {
        log_.info("model_unloaded", {{"model", change.model}});
        serve();
      }
      finish(change, std::move(status));
      break;
    }
    case Change::Kind::kRemove:
      log_.info("model_unloaded", {{"model", change.model}, {"reason", "its folder is gone"}});
      served_.set(change.model, {});
      serve();
      finish(change, {});
      break;
  }
}

void ModelControl::finish(Change& change, Status status) {
  is_busy_ = false;
  changing_.clear();
  asio::post(main_, [this] { next(); });
  if (change.done) {
    asio::post(main_, [done = std::move(change.done), status = std::move(status)] { done(status); });
  }
}

void ModelControl::start_read(Change change) {
  off_lane([this] { return first_look(); },
           [this, change = std::move(change)](Result<FirstLook> look) mutable {
             if (!look) {
               log_.error("repository_unreadable", {{"error", look.error().message}});
             } else {
               for (const auto& [name, versions] : look->read) {
                 served_.set(name, versions);
               }
               served_.set_unasked(look->names);
               stamps_ = std::move(look->stamps);
               serve();
             }
             finish(change, {});
             poll_later();
           });
}

Result<ModelControl::FirstLook> ModelControl::first_look() {
  FirstLook look;
  if (options_.mode == ControlMode::kPoll) {
    look.stamps = repository_.stamps();
  }
  auto names = repository_.names();
  if (!names) {
    return fail(names.error());
  }
  look.names = *std::move(names);
  const std::vector<std::string>& wanted = options_.load_on_start;
  const bool is_all = options_.mode != ControlMode::kExplicit || std::ranges::find(wanted, "*") != wanted.end();
  for (const std::string& name : is_all ? look.names : wanted) {
    auto read = repository_.read(name);
    if (!read) {
      log_.error("model_unavailable", {{"model", name}, {"reason", read.error().message}});
      continue;
    }
    look.read.emplace(name, *std::move(read));
  }
  repository_.save_digests();
  return look;
}

void ModelControl::load_read(Change change, Result<ServedModels::Versions> read) {
  if (!read) {
    finish(change, fail(std::move(read.error())));
    return;
  }
  const auto bad = std::ranges::find_if(*read, [](const models::ModelPtr& model) { return !model->is_ready(); });
  if (bad != read->end()) {
    const Error error = (*bad)->load_error;
    refuse(change, *read, static_cast<std::size_t>(bad - read->begin()), error);
    return;
  }
  std::vector<models::Blob> blobs;
  for (const models::ModelPtr& model : *read) {
    const std::vector<models::Blob> files = models::blobs_of(*model);
    blobs.insert(blobs.end(), files.begin(), files.end());
    if (const std::string prefix = instance_prefix(*model); !served_.has_graphs(prefix)) {
      dispatcher_.drop_graphs(prefix);  // a failure of before is no reason not to try again
    }
  }
  served_.stage(std::move(blobs));
  snapshot_ = served_.snapshot();
  staged_ = Staged{std::move(change), *std::move(read), Clock::now() + options_.build_timeout};
  check_staged();
}

void ModelControl::check_staged() {
  bool is_waiting = false;
  for (std::size_t index = 0; index < staged_->versions.size(); ++index) {
    const models::ModelVersion& model = *staged_->versions[index];
    const Status status = dispatcher_.model_ready(model);
    if (status || (status.error().code == Code::kUnavailable && !dispatcher_.prepare(model))) {
      continue;
    }
    is_waiting = true;
    const bool is_late = Clock::now() >= staged_->deadline;
    if (status.error().code != Code::kUnavailable || is_late) {
      Staged staged = *std::exchange(staged_, std::nullopt);
      const Error late{
          Code::kDeadlineExceeded, "no browser has built its graph in time: " + status.error().message, {}};
      refuse(staged.change, std::move(staged.versions), index, is_late ? late : status.error());
      return;
    }
  }
  if (is_waiting) {
    build_timer_.expires_after(kBuildLook);
    build_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) {
        check_staged();
      }
    });
    return;
  }
  Staged staged = *std::exchange(staged_, std::nullopt);
  served_.set(staged.change.model, staged.versions);
  served_.stage({});
  serve();
  for (const models::ModelPtr& model : staged.versions) {
    log_.info("model_served", {{"model", model->name}, {"version", model->version}});
  }
  finish(staged.change, {});
}

void ModelControl::refuse(Change& change, ServedModels::Versions versions, std::size_t bad, const Error& error) {
  const std::int64_t version = versions[bad]->version;
  Error told{code_of(error.code),
             fmt::format("load failed for model '{}': version {} is at UNAVAILABLE state: {}", change.model, version,
                         error.message),
             "model"};
  log_.error("model_load_refused",
             {{"model", change.model}, {"error", told.message}, {"kept", served_.serves(change.model)}});
  served_.stage({});
  if (served_.serves(change.model)) {
    snapshot_ = served_.snapshot();
    drop_staged(versions);
  } else {
    if (versions[bad]->is_ready()) {
      versions[bad] = models::unavailable(change.model, version, error);
    }
    served_.set(change.model, versions);
    serve();
  }
  finish(change, fail(std::move(told)));
}

void ModelControl::drop_staged(const ServedModels::Versions& versions) {
  for (const models::ModelPtr& model : versions) {
    if (const std::string prefix = instance_prefix(*model); model->is_ready() && !served_.has_graphs(prefix)) {
      dispatcher_.drop_graphs(prefix);
    }
  }
}

void ModelControl::serve() {
  snapshot_ = served_.snapshot();
  dispatcher_.set_models(snapshot_);
  collect_later();
}

// Who holds a version does not tell when it lets go: it is looked at, for as long as there is one.
void ModelControl::collect_later() {
  if (is_stopped_ || !served_.is_retiring()) {
    return;
  }
  collect_timer_.expires_after(kCollectLook);
  collect_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;
    }
    const std::size_t before = served_.retiring().size();
    for (const std::string& prefix : served_.collect()) {
      dispatcher_.drop_graphs(prefix);
    }
    if (served_.retiring().size() != before) {
      snapshot_ = served_.snapshot();
    }
    collect_later();
  });
}

void ModelControl::look(std::function<void()> done) {
  if (options_.mode != ControlMode::kExplicit || is_busy_) {
    asio::post(main_, std::move(done));
    return;
  }
  off_lane([this] { return repository_.names(); },
           [this, done = std::move(done)](const Result<std::vector<std::string>>& names) {
             if (names && !is_busy_) {
               served_.set_unasked(*names);
               snapshot_ = served_.snapshot();
             }
             done();
           });
}

void ModelControl::poll_later() {
  if (is_stopped_ || options_.mode != ControlMode::kPoll) {
    return;
  }
  poll_timer_.expires_after(options_.poll_interval);
  poll_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      off_lane([this] { return repository_.stamps(); }, [this](auto stamps) { poll(std::move(stamps)); });
    }
  });
}

void ModelControl::poll(std::map<std::string, std::uint64_t> stamps) {
  for (const auto& [name, stamp] : stamps) {
    const auto before = stamps_.find(name);
    if (before == stamps_.end() || before->second != stamp) {
      ask({.kind = Change::Kind::kLoad, .model = name});
    }
  }
  for (const auto& [name, stamp] : stamps_) {
    if (!stamps.contains(name)) {
      ask({.kind = Change::Kind::kRemove, .model = name});
    }
  }
  stamps_ = std::move(stamps);
  poll_later();
}

}  // namespace shoal::dispatch
