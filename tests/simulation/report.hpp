// What a simulation has seen, and how it is told.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace shoal::simulation {

struct Report {
  std::uint64_t arrived = 0, answered = 0, refused = 0;
  std::uint64_t expired = 0;  // past their deadline: while they waited, and `late` of them while they ran
  std::uint64_t late = 0;
  std::array<std::uint64_t, 4> expired_of{};  // by priority; 0 is unused
  std::uint64_t runs = 0;
  double seconds = 0;       // virtual
  double busy_seconds = 0;  // of all engines
  std::uint64_t loads = 0;
  double load_seconds = 0;                       // likewise
  std::array<std::vector<float>, 4> latencies;   // seconds, by priority; 0 is unused
  std::map<std::uint32_t, std::uint64_t> rows;   // runs by their rows
  std::vector<std::uint64_t> answered_of_model;  // by model
  std::vector<std::string> violations;           // of invariants; the first few
};

// Of unordered samples; 0 where there are none. Orders them.
double percentile(std::vector<float>& samples, double percent);
double mean(const std::vector<float>& samples);
// Jain's index: 1 when all were served alike, 1 / n when only one was.
double fairness(const std::vector<std::uint64_t>& counts);

// Some lines of text, and one row of a table with what sets policies apart. They order the latencies.
std::string text_of(Report& report, std::uint32_t workers);
std::string heading();
std::string row_of(const std::string& name, Report& report, std::uint32_t workers);

}  // namespace shoal::simulation
