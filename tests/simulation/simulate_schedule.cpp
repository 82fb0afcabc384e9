// simulate_schedule: traffic against the scheduler in virtual time, to compare policies. --help lists what can be set.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/report.hpp"
#include "tests/simulation/traffic.hpp"
#include "tests/simulation/world.hpp"

namespace {

using namespace shoal;

struct Options {
  simulation::Fleet fleet;
  schedule::SchedulerLimits limits{.max_queued = 10'000};
  std::uint64_t requests = 1'000'000;
  double load = 1.2;
  double timeout = 2;
  int ageing_ms = 10'000;
  int max_batch_ms = 250;
  std::string trace;
  bool compares = false;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("--workers", options.fleet.workers, "engines")->check(CLI::Range(1, 10'000))->capture_default_str();
  app.add_option("--models", options.fleet.models, "models, asked for alike")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--requests", options.requests, "drawn ones")->capture_default_str();
  app.add_option("--load", options.load, "of what the fleet can do one by one")
      ->check(CLI::Range(0.001, 1000.0))
      ->capture_default_str();
  app.add_option("--timeout", options.timeout, "seconds, of drawn requests")
      ->check(CLI::Range(0.001, 1e6))
      ->capture_default_str();
  app.add_option("--trace", options.trace,
                 "a file of JSON lines instead: at (seconds), model, priority, rows, length, timeout")
      ->check(CLI::ExistingFile);
  app.add_flag("--batching,!--no-batching", options.limits.joins, "requests are joined into runs");
  app.add_flag("--refuse-late,!--no-refuse-late", options.limits.refuses_late, "when they come");
  app.add_option("--max-rows", options.fleet.batching.max_rows, "of a run")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--max-batch-ms", options.max_batch_ms, "schedule.max_batch_time")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--ageing-ms", options.ageing_ms, "schedule.ageing, 0 = never")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--max-queue", options.limits.max_queued, "schedule.max_queue")->capture_default_str();
  app.add_option("--fixed-ms", options.fleet.fixed_ms, "of each run, on the fastest worker")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--token-ms", options.fleet.token_ms, "of each token")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--resident", options.fleet.resident, "graphs that a worker has room for; 0 = all, from the start")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  app.add_option("--load-ms", options.fleet.load_ms, "of a graph that is not there, on the fastest worker")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", options.fleet.seed, "of all that is drawn")->capture_default_str();
  app.add_flag("--compare", options.compares, "the same traffic under each policy, as a table");
}

simulation::Report simulate(const Options& options) {
  // A sentence has 25 tokens in the mean; speeds are spread evenly.
  const double one =
      (options.fleet.fixed_ms + 25 * options.fleet.token_ms) / 1000 * (1 + options.fleet.speed_spread) / 2;
  simulation::World world(options.fleet, options.limits);
  if (options.trace.empty()) {
    simulation::DrawnTraffic drawn(options.requests, options.load * options.fleet.workers / one, options.fleet.models,
                                   options.timeout, options.fleet.seed);
    return world.run(drawn);
  }
  std::ifstream lines(options.trace);
  simulation::RecordedTraffic recorded(lines, options.fleet.models);
  return world.run(recorded);
}

int tell_violations(const simulation::Report& report) {
  for (const std::string& violation : report.violations) {
    fmt::print(stderr, "VIOLATED: {}\n", violation);
  }
  return report.violations.empty() ? 0 : 1;
}

int compare(const Options& options) {
  std::vector<std::pair<std::string, Options>> policies = {
      {"as shipped", options},      {"batching off", options},          {"load balancing off", options},
      {"ageing of 0.5 s", options}, {"batches of any length", options}, {"late ones are let in", options}};
  policies[1].second.limits.joins = false;
  policies[2].second.limits.balances_load = false;
  policies[3].second.limits.ageing = std::chrono::milliseconds(500);
  policies[4].second.limits.max_batch_time = Duration::zero();
  policies[5].second.limits.refuses_late = false;
  fmt::print("{}", simulation::heading());
  int status = 0;
  for (const auto& [name, policy] : policies) {
    simulation::Report report = simulate(policy);
    fmt::print("{}", simulation::row_of(name, report, options.fleet.workers));
    std::fflush(stdout);
    status |= tell_violations(report);
  }
  return status;
}

int run(const Options& options) {
  const auto began = std::chrono::steady_clock::now();
  simulation::Report report = simulate(options);
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  fmt::print("{}", simulation::text_of(report, options.fleet.workers));
  fmt::print("{:.1f} s of virtual time in {:.1f} s, {:.1f} us a request\n", report.seconds, took,
             took * 1e6 / static_cast<double>(std::max<std::uint64_t>(report.arrived, 1)));
  return tell_violations(report);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Traffic against the scheduler in virtual time");
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  options.limits.ageing = std::chrono::milliseconds(options.ageing_ms);
  options.limits.max_batch_time = std::chrono::milliseconds(options.max_batch_ms);
  try {
    return options.compares ? compare(options) : run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "simulate_schedule: {}\n", error.what());
    return 2;
  }
}
