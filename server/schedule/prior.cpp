#include "server/schedule/prior.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace shoal::schedule {
namespace {

using Order = std::array<Backend, 3>;

// The graphs that are served have the precision of their files: text has no 8-bit form that would go to WebNN before
// WebGPU, so that each browser's order holds for all families.
Order order_in(BrowserEngine browser) {
  switch (browser) {
    case BrowserEngine::kWebkit:
    case BrowserEngine::kEdge:
      return {Backend::kWebnn, Backend::kWebgpu, Backend::kWasm};
    case BrowserEngine::kFirefox:
    case BrowserEngine::kChromium:
    case BrowserEngine::kOther:
      break;
  }
  return {Backend::kWebgpu, Backend::kWebnn, Backend::kWasm};
}

bool is_worth(const Traits& traits, Backend backend) {
  const auto own = traits.gflops.find(backend);
  const auto wasm = traits.gflops.find(Backend::kWasm);
  return backend != Backend::kWasm && traits.has_hardware && own != traits.gflops.end() &&
         (wasm == traits.gflops.end() || own->second > wasm->second);
}

}  // namespace

// Chromium says Safari too, and Edge says Chrome and Safari.
BrowserEngine browser_engine_of(std::string_view user_agent) {
  const auto says = [user_agent](std::string_view word) { return user_agent.find(word) != std::string_view::npos; };
  if (says("Edg/")) {
    return BrowserEngine::kEdge;
  }
  if (says("Firefox/")) {
    return BrowserEngine::kFirefox;
  }
  if (says("Chrome/") || says("Chromium/")) {
    return BrowserEngine::kChromium;
  }
  return says("AppleWebKit/") ? BrowserEngine::kWebkit : BrowserEngine::kOther;
}

std::vector<Backend> worth_of(const Traits& traits, std::span<const Backend> usable) {
  std::vector<Backend> worth;
  std::ranges::copy_if(usable, std::back_inserter(worth), [&](Backend backend) { return is_worth(traits, backend); });
  return worth;
}

std::vector<Backend> prior_of(const Traits& traits) {
  std::vector<Backend> prior;
  std::vector<Backend> behind;
  for (const Backend backend : order_in(traits.browser)) {
    if (backend != Backend::kWasm) {
      (is_worth(traits, backend) ? prior : behind).push_back(backend);
    }
  }
  prior.push_back(Backend::kWasm);
  prior.insert(prior.end(), behind.begin(), behind.end());
  return prior;
}

bool is_favourite(Family family, BrowserEngine browser) {
  switch (family) {
    case Family::kVision:
    case Family::kMultimodal:
      return browser == BrowserEngine::kChromium;
    case Family::kAudio:
      return browser == BrowserEngine::kFirefox;
    case Family::kText:
      break;
  }
  return false;
}

std::vector<Preference> preferences(std::optional<Family> family, std::span<const Traits* const> fleet,
                                    std::span<const Backend> offered) {
  std::vector<Preference> order;
  std::map<Backend, std::size_t> places;
  for (const Traits* traits : fleet) {
    if (!family) {
      break;
    }
    const std::vector<Backend> prior = prior_of(*traits);
    for (const Backend backend : worth_of(*traits, offered)) {
      const auto place = static_cast<std::size_t>(std::ranges::find(prior, backend) - prior.begin());
      const auto [known, is_new] = places.try_emplace(backend, place);
      known->second = std::min(known->second, place);
    }
  }
  std::vector<std::pair<std::size_t, Backend>> sorted;
  for (const auto& [backend, place] : places) {
    sorted.emplace_back(place, backend);
  }
  std::ranges::sort(sorted);
  for (const auto& [place, backend] : sorted) {
    order.push_back({.backend = backend, .is_prior = true});
  }
  for (const Backend backend : offered) {
    order.push_back({.backend = backend, .is_prior = false});
  }
  return order;
}

}  // namespace shoal::schedule
