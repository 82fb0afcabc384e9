// Which models are served, while the server runs: reads their folders, builds their graphs in the browsers and only
// then lets them take the place of what was served before. One change at a time, in the order they were asked for. Main
// lane; files are read on a thread of its own. Owned by the app.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/core/clock.hpp"
#include "server/core/log.hpp"
#include "server/dispatch/control_view.hpp"
#include "server/dispatch/dispatcher.hpp"
#include "server/dispatch/served_models.hpp"
#include "server/models/repository.hpp"

namespace shoal::dispatch {

enum class ControlMode : std::uint8_t {
  kNone,      // what the repository holds at start
  kPoll,      // and what is changed in it later
  kExplicit,  // what clients ask for
};

struct ModelControlOptions {
  ControlMode mode = ControlMode::kNone;
  Duration poll_interval = std::chrono::seconds(15);
  std::vector<std::string> load_on_start = {};         // kExplicit; "*" = all
  Duration build_timeout = std::chrono::seconds(120);  // of the graphs of one change
  std::size_t max_waiting = 64;                        // changes that clients have asked for
};

class ModelControl {
 public:
  using Done = std::function<void(Status)>;

  // `dispatcher` outlives it.
  ModelControl(boost::asio::any_io_executor main, models::RepositoryOptions repository, ModelControlOptions options,
               Dispatcher& dispatcher, Log log);

  // Reads the repository for the first time; returns at once.
  void start();
  // Of kPoll and of loads, from the next one on.
  void set_times(Duration poll_interval, Duration build_timeout) {
    options_.poll_interval = poll_interval;
    options_.build_timeout = build_timeout;
  }
  // Looks at no folder any more.
  void stop();

  [[nodiscard]] models::SnapshotPtr snapshot() const { return snapshot_; }  // never null
  [[nodiscard]] ControlView view() const;

  // `done` is called once, on the main lane, not from inside the call: when the model's folder has been read again, its
  // default graph is built in a browser (where there is one) and new requests go to it; requests that were accepted
  // before end on what they were accepted for. On any error what was served before is served still. kUnavailable unless
  // the mode is kExplicit; kNotFound without such a folder; kOverloaded; kDeadlineExceeded when no browser has built
  // the graph in time; else what is wrong with the folder or the graph.
  void load(LoadRequest request, Done done);
  // New requests are refused from `done` on; the graphs go when the last accepted one has been answered. kUnavailable
  // and kOverloaded as above, kNotFound when there is no such model.
  void unload(std::string model, Done done);
  // Lists the folders again, where models wait for being asked for (kExplicit) and nothing is being changed. `done` as
  // above.
  void look(std::function<void()> done);

 private:
  struct Change {
    enum class Kind : std::uint8_t { kStart, kLoad, kUnload, kRemove };
    Kind kind = Kind::kLoad;
    std::string model;
    std::optional<std::string> config = {};
    Done done = {};
  };
  struct FirstLook {
    std::map<std::string, std::uint64_t> stamps;
    std::map<std::string, ServedModels::Versions> read;
    std::vector<std::string> names;
  };
  // A model whose graphs are being built.
  struct Staged {
    Change change;
    ServedModels::Versions versions;
    TimePoint deadline;
  };

  void ask(Change change);
  void next();
  void finish(Change& change, Status status);
  void start_read(Change change);
  Result<FirstLook> first_look();
  void load_read(Change change, Result<ServedModels::Versions> read);
  void check_staged();
  void refuse(Change& change, ServedModels::Versions versions, std::size_t bad, const Error& error);
  void drop_staged(const ServedModels::Versions& versions);
  void serve();
  void collect_later();
  void poll_later();
  void poll(std::map<std::string, std::uint64_t> stamps);
  template <class Work, class Then>
  void off_lane(Work work, Then then);

  boost::asio::any_io_executor main_;
  ModelControlOptions options_;
  Dispatcher& dispatcher_;
  Log log_;
  models::Repository repository_;  // on the reader's thread only
  ServedModels served_;
  models::SnapshotPtr snapshot_;
  std::deque<Change> waiting_;
  std::string changing_;  // the model
  bool is_busy_ = false;
  std::optional<Staged> staged_;
  std::map<std::string, std::uint64_t> stamps_;
  boost::asio::steady_timer build_timer_;
  boost::asio::steady_timer collect_timer_;
  boost::asio::steady_timer poll_timer_;
  bool is_stopped_ = false;
  boost::asio::thread_pool reader_{1};
};

}  // namespace shoal::dispatch
