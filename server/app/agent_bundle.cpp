#include "server/app/agent_bundle.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace shoal::app {

std::filesystem::path find_agent(const Settings& settings) {
  if (!settings.agent_dir.empty()) {
    return settings.agent_dir;
  }
  std::error_code error;
  const std::filesystem::path binary = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* place : {"../share/shoal/agent", "../../browser_agent/dist"}) {
    if (std::filesystem::exists(binary / place / "build.json")) {
      return std::filesystem::weakly_canonical(binary / place);
    }
  }
  return "browser_agent/dist";
}

Result<std::string> agent_build(const std::filesystem::path& folder) {
  std::ifstream file(folder / "build.json");
  const nlohmann::json json = nlohmann::json::parse(file, nullptr, false);
  if (!json.is_object() || !json.contains("build") || !json["build"].is_string()) {
    return fail(Code::kNotFound,
                fmt::format("agent.dir: no agent bundle in '{}' (build.json is missing or damaged)", folder.string()),
                "agent.dir");
  }
  return json["build"].get<std::string>();
}

}  // namespace shoal::app
