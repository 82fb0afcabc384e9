// The load client of the front end's benchmark: a closed loop over one protocol, one line of JSON about it.
// Exit status: 0, or 1 when a request failed or none was answered in the measured time.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/bench/frontend/load.hpp"
#include "tests/bench/frontend/tally.hpp"

namespace {

using shoal::bench::Clock;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

int main(int argc, char** argv) try {
  std::string protocol;
  std::string address;
  std::size_t elements = 1;
  double warm_up = 0.5;
  double seconds = 5;
  shoal::bench::Load load{.host = {}, .port = {}, .model = "echo", .input = "INPUT0", .values = {}};
  CLI::App app("Asks a server for the same FP32 tensor again and again, and checks and times its answers");
  app.add_option("--protocol", protocol)->required()->check(CLI::IsMember({"grpc", "http-json", "http-binary"}));
  app.add_option("--address", address, "host:port")->required();
  app.add_option("--model", load.model)->capture_default_str();
  app.add_option("--input", load.input, "the input's name")->capture_default_str();
  app.add_option("--elements", elements, "of the tensor")->capture_default_str()->check(CLI::Range(1, 1 << 28));
  app.add_option("--concurrency", load.concurrency, "requests open at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  app.add_option("--warm-up", warm_up, "seconds before it measures")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 600.0));
  app.add_option("--seconds", seconds, "measured")->capture_default_str()->check(CLI::Range(0.01, 600.0));
  CLI11_PARSE(app, argc, argv);

  const auto colon = address.rfind(':');
  load.host = address.substr(0, colon);
  load.port = colon == std::string::npos ? "" : address.substr(colon + 1);
  load.values.resize(elements);
  for (std::size_t index = 0; index < elements; ++index) {
    // Halves below 2^20 are exact in FP32 and short in JSON.
    load.values[index] = static_cast<float>(index % (std::size_t{1} << 20)) + 0.5F;
  }

  const auto started = Clock::now();
  const double cpu_before = cpu_seconds();
  const auto from = started + duration_of(warm_up);
  shoal::bench::Tally tally(from, from + duration_of(seconds));
  try {
    protocol == "grpc" ? load_grpc(load, tally) : load_http(load, protocol == "http-binary", tally);
  } catch (const std::exception& error) {
    tally.failed(error.what());
  }
  const double wall = std::chrono::duration<double>(Clock::now() - started).count();
  const shoal::bench::Summary summary = tally.summary();
  const nlohmann::json line{{"answers", summary.answers},
                            {"all_answers", summary.all_answers},
                            {"per_second", summary.per_second},
                            {"p50_us", summary.p50_us},
                            {"p95_us", summary.p95_us},
                            {"p99_us", summary.p99_us},
                            {"errors", summary.errors},
                            {"first_error", summary.first_error},
                            {"client_cores", (cpu_seconds() - cpu_before) / wall}};
  std::puts(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  return summary.errors == 0 && summary.answers > 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
