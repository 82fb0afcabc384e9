// Which backends a model is expected to run fast on before anything was measured, by its family, the browser's engine
// and the device. Only a guess: docs/scheduling.md says when evidence goes before it. Pure.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "server/core/backend.hpp"
#include "server/core/family.hpp"

namespace shoal::schedule {

enum class BrowserEngine : std::uint8_t { kOther, kChromium, kFirefox, kWebkit, kEdge };
BrowserEngine browser_engine_of(std::string_view user_agent);

// What a browser said of itself and its device.
struct Traits {
  BrowserEngine browser = BrowserEngine::kOther;
  bool has_hardware = false;              // its WebGPU adapter is no software
  std::map<Backend, double> gflops = {};  // of its micro-benchmark
};

// The backends that are worth trying before wasm there: none without a hardware adapter, and none whose micro-benchmark
// does not beat that of wasm.
std::vector<Backend> worth_of(const Traits& traits, std::span<const Backend> usable);

// All backends in their order in that browser: those that are worth it come before wasm, the others behind it.
std::vector<Backend> prior_of(const Traits& traits);

// Whether models of the family are expected to run faster in this browser than in others with the same backend.
bool is_favourite(Family family, BrowserEngine browser);

struct Preference {
  Backend backend = Backend::kWasm;
  bool is_prior = false;  // only on workers where it is worth it
};
// The order for a fleet: backends that are worth it on any of its workers, the one first that is first anywhere; then
// those of `offered` in their order, wherever they are. Of a model whose family nobody knows: `offered`.
std::vector<Preference> preferences(std::optional<Family> family, std::span<const Traits* const> fleet,
                                    std::span<const Backend> offered);

}  // namespace shoal::schedule
