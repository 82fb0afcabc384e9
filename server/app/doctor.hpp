// `shoal doctor`: launches one browser of each kind that is known, one after the other, with the pool's own code on
// ports and folders of its own, so that a running server is not disturbed. Calling thread; blocks for seconds per kind.
#pragma once

#include <string>

#include "engine/core/result.hpp"
#include "server/app/doctor_report.hpp"
#include "server/app/settings.hpp"

namespace shoal::app {

// `only_kind`: that one alone; empty = all. kInvalidArgument for a kind that is not known, kNotFound without an agent.
// A browser that does not work is a finding, not an error.
Result<DoctorReport> examine(const Settings& settings, const std::string& only_kind);

}  // namespace shoal::app
