// Where the agent that browsers load lies on disk, and which build it is.
#pragma once

#include <filesystem>
#include <string>

#include "engine/core/result.hpp"
#include "server/app/settings.hpp"

namespace shoal::app {

// Where the settings say, installed beside the binary, or in the source tree that the binary was built in.
std::filesystem::path find_agent(const Settings& settings);
// kNotFound when there is no bundle.
Result<std::string> agent_build(const std::filesystem::path& folder);

}  // namespace shoal::app
