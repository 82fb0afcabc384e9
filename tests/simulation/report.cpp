#include "tests/simulation/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace shoal::simulation {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

}  // namespace

double percentile(std::vector<float>& samples, double percent) {
  if (samples.empty()) {
    return 0;
  }
  std::ranges::sort(samples);
  return samples[static_cast<std::size_t>(percent / 100 * static_cast<double>(samples.size() - 1))];
}

double mean(const std::vector<float>& samples) {
  return ratio(std::accumulate(samples.begin(), samples.end(), 0.0), static_cast<double>(samples.size()));
}

double fairness(const std::vector<std::uint64_t>& counts) {
  double sum = 0;
  double squares = 0;
  for (const std::uint64_t count : counts) {
    sum += static_cast<double>(count);
    squares += static_cast<double>(count) * static_cast<double>(count);
  }
  return ratio(sum * sum, static_cast<double>(counts.size()) * squares);
}

std::string text_of(Report& report, std::uint32_t workers) {
  std::string text = fmt::format("arrived {}, answered {}, refused {}, past their deadline {} ({} of them running)\n",
                                 report.arrived, report.answered, report.refused, report.expired, report.late);
  text += fmt::format(
      "{:.1f} answers a second, workers busy {:.1f} %, {:.2f} requests a run, fairness between models {:.4f}\n",
      ratio(static_cast<double>(report.answered), report.seconds),
      100 * ratio(report.busy_seconds, report.seconds * workers),
      ratio(static_cast<double>(report.answered), static_cast<double>(report.runs)),
      fairness(report.answered_of_model));
  if (report.loads > 0) {
    text += fmt::format("{} loads, {:.1f} % of the workers' time\n", report.loads,
                        100 * ratio(report.load_seconds, report.seconds * workers));
  }
  for (std::size_t priority = 1; priority < report.latencies.size(); ++priority) {
    auto& samples = report.latencies.at(priority);
    text += fmt::format(
        "priority {}: {} answers, {} past their deadline, ms p50 {:.1f}, p95 {:.1f}, p99 {:.1f}, max {:.1f}\n",
        priority, samples.size(), report.expired_of.at(priority), 1000 * percentile(samples, 50),
        1000 * percentile(samples, 95), 1000 * percentile(samples, 99), 1000 * percentile(samples, 100));
  }
  text += "runs by rows:";
  for (const auto& [rows, count] : report.rows) {
    text += fmt::format(" {}: {}", rows, count);
  }
  return text + "\n";
}

std::string heading() {
  return "| policy | answers/s | in time | of those let in | busy | requests a run | high p50 / p99 | normal p50 / p99 "
         "| low p50 / p99 "
         "|\n"
         "|---|---|---|---|---|---|---|---|---|\n";
}

std::string row_of(const std::string& name, Report& report, std::uint32_t workers) {
  std::string row = fmt::format(
      "| {} | {:.0f} | {:.1f} % | {:.1f} % | {:.0f} % | {:.2f} |", name,
      ratio(static_cast<double>(report.answered), report.seconds),
      100 * ratio(static_cast<double>(report.answered), static_cast<double>(report.arrived)),
      100 * ratio(static_cast<double>(report.answered), static_cast<double>(report.answered + report.expired)),
      100 * ratio(report.busy_seconds, report.seconds * workers),
      ratio(static_cast<double>(report.answered), static_cast<double>(report.runs)));
  for (std::size_t priority = 1; priority < report.latencies.size(); ++priority) {
    auto& samples = report.latencies.at(priority);
    row += fmt::format(" {:.0f} / {:.0f} ms |", 1000 * percentile(samples, 50), 1000 * percentile(samples, 99));
  }
  return row + "\n";
}

}  // namespace shoal::simulation
