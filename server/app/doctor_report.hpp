// What `shoal doctor` found, and how it is told: to people, to programs, and to docs/capabilities.md. Pure.
#pragma once

#include <shoal/agent/v1/agent.pb.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "server/core/backend.hpp"

namespace shoal::app {

struct ProgramReport {
  std::string path;          // empty: neither known nor configured
  bool is_there = false;     // an executable file
  std::string version = {};  // as it says itself; empty when it does not
};

struct KindReport {
  std::string kind;
  bool is_configured = false;  // named in pool.browsers
  ProgramReport browser = {};
  ProgramReport driver = {};
  // Of the launch; empty when there was none, or as far as it came.
  std::string session = {};  // "chrome 153.0.8010.0", as the session said
  bool said_hello = false;
  std::uint64_t launch_ms = 0;
  std::string problem = {};  // in its own words; empty: it works
  std::vector<Backend> usable = {};
  std::map<Backend, std::string> why_not = {};
  std::string adapter = {};
  agent::v1::Capabilities capabilities = {};
};

struct DoctorReport {
  std::string date;     // "2026-11-21"
  std::string version;  // of this server
  std::string system;   // "Debian GNU/Linux 12 (bookworm)"
  unsigned cores = 0;
  bool has_gpu = false;
  std::vector<KindReport> kinds = {};

  // Whether every configured kind can be used.
  [[nodiscard]] bool is_well() const;
};

// What to do about what is missing, in plain words; nothing when nothing is.
std::vector<std::string> advice_for(const KindReport& kind, bool has_gpu);

nlohmann::ordered_json to_json(const DoctorReport& report);
std::string to_text(const DoctorReport& report);
std::string to_markdown(const DoctorReport& report);

}  // namespace shoal::app
