#include "server/app/doctor.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "server/api/http/routes.hpp"
#include "server/api/http/server.hpp"
#include "server/app/agent_bundle.hpp"
#include "server/app/program_version.hpp"
#include "server/app/scratch_folder.hpp"
#include "server/dispatch/dispatcher.hpp"
#include "server/metrics/families.hpp"
#include "server/net/deadline.hpp"
#include "server/pool/pool.hpp"
#include "server/webdriver/browser_kind.hpp"

namespace shoal::app {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

constexpr auto kPollInterval = std::chrono::milliseconds(20);

// As much of a server as a browser needs to say hello.
class Examination {
 public:
  Examination(const fs::path& agent, std::string build, pool::PoolConfig config)
      : config_(std::move(config)),
        dispatcher_(main_.get_executor(), {}, metrics_, log_),
        services_{.inference = dispatcher_,
                  .models = [] { return std::make_shared<const models::Snapshot>(); },
                  .statistics = [] { return dispatch::Statistics{}; },
                  .fleet = [] { return metrics::FleetState{}; },
                  .metrics = metrics_,
                  .log = log_,
                  .main = main_.get_executor(),
                  .cpu = cpu_,
                  .limits = {},
                  .version = ""} {
    config_.agent_build = std::move(build);
    config_.home = scratch_.path();
    api::http::Router router;
    api::http::add_agent_routes(router, services_, agent);
    http_.emplace(
        main_.get_executor(), cpu_, std::move(router),
        api::http::ServerOptions{.address = "127.0.0.1",
                                 .port = 0,
                                 .public_hosts = {},
                                 .limits = {},
                                 .upgrade =
                                     [this](asio::ip::tcp::socket socket, net::UpgradeRequest request, std::string) {
                                       if (pool_) {
                                         pool_->accept(std::move(socket), std::move(request));
                                       }
                                     }},
        log_);
  }
  Examination(const Examination&) = delete;
  Examination& operator=(const Examination&) = delete;
  ~Examination() {
    http_->stop();
    main_.restart();
    main_.run();
    cpu_.join();
  }

  Status listen() { return http_->listen(); }

  // Launches `group`'s browser, and writes down how far it came.
  void launch(pool::BrowserGroup group, KindReport& report) {
    group.count = 1;
    group.min = group.max = std::nullopt;
    group.spares = 0;
    group.tabs = 1;
    group.backends.assign(kBackends.begin(), kBackends.end());
    config_.groups = {std::move(group)};
    bool is_done = false;
    std::exception_ptr thrown;
    asio::co_spawn(main_, conduct(report), [&](const std::exception_ptr& failure) {
      thrown = failure;
      is_done = true;
    });
    main_.restart();
    while (!is_done) {
      main_.run_one();
    }
    pool_.reset();
    if (thrown) {
      std::rethrow_exception(thrown);
    }
  }

 private:
  asio::awaitable<void> conduct(KindReport& report) {
    const std::uint64_t before = events_.ring().last_sequence();
    pool_.emplace(main_.get_executor(), cpu_, config_, log_, dispatcher_, events_);
    const Status started = pool_->start(fmt::format("http://127.0.0.1:{}/agent/", http_->port()));
    if (!started) {
      report.problem = started.error().message;
    }
    asio::steady_timer timer(main_);
    while (started && report.problem.empty() && !report.said_hello) {
      timer.expires_after(kPollInterval);
      co_await net::wait(timer);
      observe(report, before);
    }
    co_await pool_->close();
  }

  // Each launch ends in a hello or in a loss: both are bounded by the pool.
  void observe(KindReport& report, std::uint64_t before) {
    const pool::SlotView view = pool_->snapshot().at(0);
    report.session = view.version;
    for (const pool::Event& event : events_.ring().after(before, SIZE_MAX)) {
      if (event.launched_in) {
        report.launch_ms = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(*event.launched_in).count());
      }
      if (event.loss != pool::Loss::kNone && report.problem.empty()) {
        report.problem = event.reason;
      }
    }
    if (view.worker && view.capabilities != nullptr) {
      report.said_hello = true;
      report.problem.clear();
      report.usable = view.worker->backends;
      report.why_not = view.worker->why_not;
      report.adapter = view.worker->adapter;
      report.capabilities = *view.capabilities;
    }
  }

  ScratchFolder scratch_{"shoal-doctor"};
  pool::PoolConfig config_;
  Log log_ = Log::discard();
  asio::io_context main_{1};
  asio::thread_pool cpu_{1};
  metrics::Families metrics_;
  pool::EventLog events_{256, log_};
  dispatch::Dispatcher dispatcher_;
  api::Services services_;
  std::optional<api::http::Server> http_;
  std::optional<pool::Pool> pool_;
};

ProgramReport look_at(const std::string& configured, std::string_view known, const fs::path& home) {
  ProgramReport report;
  report.path = !configured.empty() ? configured : known.empty() ? "" : fs::absolute(home / known).string();
  report.is_there = !report.path.empty() && access(report.path.c_str(), X_OK) == 0;
  report.version = report.is_there ? program_version(report.path) : "";
  return report;
}

// A remote end has nothing to look at here: its browser is asked for, where it can find this process.
void visit(Examination& examination, const pool::BrowserGroup& group, KindReport& report) {
  report.browser = {.path = group.remote_kind.empty() ? "as its capabilities say" : group.remote_kind,
                    .is_there = true};
  report.driver = {.path = group.remote_url, .is_there = true};
  if (group.agent_url.empty()) {
    examination.launch(group, report);
  } else {
    report.problem = fmt::format("not launched: its browsers look for the page at {}, where a running server has it",
                                 group.agent_url);
  }
}

std::string system_name() {
  std::ifstream file("/etc/os-release");
  constexpr std::string_view kKey = "PRETTY_NAME=\"";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(kKey) && line.ends_with('"')) {
      return line.substr(kKey.size(), line.size() - kKey.size() - 1);
    }
  }
  return "Linux";
}

}  // namespace

Result<DoctorReport> examine(const Settings& settings, const std::string& only_kind) {
  if (!only_kind.empty() && webdriver::find_browser_kind(only_kind) == nullptr) {
    return fail(Code::kInvalidArgument,
                fmt::format("no browser kind '{}'; there are: {}", only_kind, webdriver::browser_kind_names()));
  }
  auto config = pool_config_of(settings);
  if (!config) {
    return fail(std::move(config.error()));
  }
  const fs::path agent = find_agent(settings);
  auto build = agent_build(agent);
  if (!build) {
    return fail(std::move(build.error()));
  }
  const std::vector<pool::BrowserGroup> configured = config->groups;
  Examination examination(agent, *std::move(build), *std::move(config));
  if (Status status = examination.listen(); !status) {
    return fail(std::move(status.error()));
  }
  DoctorReport report{.date = fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr))),
                      .version = SHOAL_VERSION,
                      .system = system_name(),
                      .cores = std::max(1U, std::thread::hardware_concurrency()),
                      .has_gpu = webdriver::read_machine_facts().has_gpu};
  for (const webdriver::BrowserKind& kind : webdriver::browser_kinds()) {
    if (!only_kind.empty() && kind.name != only_kind) {
      continue;
    }
    const auto group = std::ranges::find(configured, kind.name, &pool::BrowserGroup::kind);
    if (kind.is_remote && group != configured.end()) {
      for (const pool::BrowserGroup& remote : configured) {
        if (remote.kind == kind.name) {
          visit(examination, remote, report.kinds.emplace_back(std::string(kind.name), true));
        }
      }
      continue;
    }
    pool::BrowserGroup probe = group == configured.end() ? pool::BrowserGroup{} : *group;
    probe.kind = kind.name;
    KindReport found{.kind = std::string(kind.name), .is_configured = group != configured.end()};
    found.browser = look_at(probe.browser_path, kind.browser_path, settings.home);
    found.driver = look_at(probe.driver_path, kind.driver_path, settings.home);
    if (found.browser.is_there && found.driver.is_there) {
      probe.browser_path = found.browser.path;
      probe.driver_path = found.driver.path;
      examination.launch(std::move(probe), found);
    }
    report.kinds.push_back(std::move(found));
  }
  return report;
}

}  // namespace shoal::app
