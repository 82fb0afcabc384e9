#include "server/schedule/prior.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/schedule/scheduler.hpp"

namespace shoal::schedule {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

constexpr Backend kWasm = Backend::kWasm;
constexpr Backend kWebgpu = Backend::kWebgpu;
constexpr Backend kWebnn = Backend::kWebnn;
const std::vector<Backend> kOffered = {kWasm, kWebgpu, kWebnn};

Traits device(BrowserEngine browser, double webgpu, double webnn, bool has_hardware = true) {
  return {
      .browser = browser, .has_hardware = has_hardware, .gflops = {{kWasm, 25}, {kWebgpu, webgpu}, {kWebnn, webnn}}};
}

std::vector<std::pair<Backend, bool>> order(std::optional<Family> family, std::vector<Traits> fleet) {
  std::vector<const Traits*> pointers;
  for (const Traits& traits : fleet) {
    pointers.push_back(&traits);
  }
  std::vector<std::pair<Backend, bool>> found;
  for (const Preference& preference : preferences(family, pointers, kOffered)) {
    found.emplace_back(preference.backend, preference.is_prior);
  }
  return found;
}

TEST(Prior, EnginesAreToldByTheirUserAgents) {
  EXPECT_EQ(browser_engine_of("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"),
            BrowserEngine::kFirefox);
  EXPECT_EQ(browser_engine_of("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"),
            BrowserEngine::kChromium);
  EXPECT_EQ(
      browser_engine_of("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/153.0.0.0 Safari/537.36"),
      BrowserEngine::kChromium);
  EXPECT_EQ(browser_engine_of("Mozilla/5.0 AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0"),
            BrowserEngine::kEdge);
  EXPECT_EQ(browser_engine_of(
                "Mozilla/5.0 (X11; Linux) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15"),
            BrowserEngine::kWebkit);
  EXPECT_EQ(browser_engine_of(""), BrowserEngine::kOther);
}

TEST(Prior, EachBrowserHasItsOrder) {
  EXPECT_THAT(prior_of(device(BrowserEngine::kChromium, 900, 90)), ElementsAre(kWebgpu, kWebnn, kWasm));
  EXPECT_THAT(prior_of(device(BrowserEngine::kEdge, 900, 90)), ElementsAre(kWebnn, kWebgpu, kWasm));
  EXPECT_THAT(prior_of(device(BrowserEngine::kWebkit, 900, 90)), ElementsAre(kWebnn, kWebgpu, kWasm));
  EXPECT_THAT(prior_of(device(BrowserEngine::kFirefox, 900, 0)), ElementsAre(kWebgpu, kWasm, kWebnn));
}

TEST(Prior, ASoftwareAdapterIsNeverBeforeWasm) {
  // What the machines without a GPU say: SwiftShader, and WebNN on the CPU.
  const Traits software = device(BrowserEngine::kChromium, 0.027, 26, false);
  EXPECT_EQ(prior_of(software).front(), kWasm);
  EXPECT_TRUE(worth_of(software, kOffered).empty());
  EXPECT_THAT(order(Family::kVision, {software}),
              ElementsAre(std::pair(kWasm, false), std::pair(kWebgpu, false), std::pair(kWebnn, false)));
}

TEST(Prior, AnAdapterThatIsSlowerThanWasmIsNotWorthIt) {
  EXPECT_THAT(worth_of(device(BrowserEngine::kChromium, 24, 26), kOffered), ElementsAre(kWebnn));
  EXPECT_THAT(order(Family::kText, {device(BrowserEngine::kChromium, 24, 20)}).front(), std::pair(kWasm, false));
}

TEST(Prior, TheBestOfAnyWorkerComesFirstAndTheRestStays) {
  EXPECT_THAT(order(Family::kAudio,
                    {device(BrowserEngine::kChromium, 0.02, 20, false), device(BrowserEngine::kFirefox, 500, 0)}),
              ElementsAre(std::pair(kWebgpu, true), std::pair(kWasm, false), std::pair(kWebgpu, false),
                          std::pair(kWebnn, false)));
  EXPECT_THAT(order(std::nullopt, {device(BrowserEngine::kChromium, 900, 90)}).front(), std::pair(kWasm, false))
      << "nobody knows what it is for";
  EXPECT_TRUE(is_favourite(Family::kAudio, BrowserEngine::kFirefox));
  EXPECT_FALSE(is_favourite(Family::kAudio, BrowserEngine::kChromium));
  EXPECT_TRUE(is_favourite(Family::kVision, BrowserEngine::kChromium));
}

class GuessTest : public testing::Test {
 protected:
  GuessTest() {
    bring_up("a/0", device(BrowserEngine::kChromium, 0.02, 20, false));
    bring_up("b/0", device(BrowserEngine::kChromium, 900, 20));
  }
  void bring_up(const std::string& slot, const Traits& traits) {
    scheduler.slot_configured(slot, {kWasm, kWebgpu});
    scheduler.slot_up(slot, {kWasm, kWebgpu}, {}, Tier::kTrusted, traits);
  }
  static Job job(JobId id) {
    Job made{.id = id, .candidates = {}, .is_guess = true, .family = Family::kText, .worker = {}};
    made.candidates = {{kWebgpu, "m@webgpu"}, {kWasm, "m@wasm"}, {kWebgpu, "m@webgpu"}};
    made.candidates.front().is_prior = true;
    return made;
  }
  void ready(const std::string& slot, Backend backend) {
    scheduler.instance_ready(slot, {backend, "m@" + std::string(backend_name(backend))}, {}, TimePoint());
  }
  // Two runs of so long there, the first of which is not measured.
  void teach(const std::string& slot, Backend backend, Duration time) {
    for (int turn = 0; turn < 2; ++turn) {
      Job made = job(next_++);
      made.is_guess = false;
      made.worker = slot;
      made.candidates = {{backend, "m@" + std::string(backend_name(backend))}};
      ASSERT_TRUE(scheduler.enqueue(made, now_));
      ASSERT_EQ(scheduler.step(now_).at(0).kind, Action::Kind::kRun);
      now_ += time;
      scheduler.finished(made.id, now_);
    }
  }
  Scheduler scheduler{SchedulerLimits{}};
  JobId next_ = 1000;
  TimePoint now_;
};

TEST_F(GuessTest, GoesToTheWorkerWhereTheBackendIsWorthIt) {
  for (const char* slot : {"a/0", "b/0"}) {
    ready(slot, kWebgpu);
    ready(slot, kWasm);
  }
  const Placement placement = scheduler.placement_of(job(1));
  EXPECT_EQ(placement.candidate.backend, kWebgpu);
  EXPECT_EQ(placement.slot, "b/0") << "the other one's adapter is software";
  scheduler.slot_gone("b/0");
  EXPECT_EQ(scheduler.placement_of(job(1)).candidate.backend, kWasm);
}

TEST_F(GuessTest, RunsElsewhereWhileTheGuessIsBeingLoaded) {
  ready("a/0", kWasm);
  EXPECT_EQ(scheduler.placement_of(job(1)).kind, Placement::Kind::kLoad);
  scheduler.instance_loading("b/0", {kWebgpu, "m@webgpu"}, TimePoint());
  const Placement placement = scheduler.placement_of(job(1));
  EXPECT_EQ(placement.kind, Placement::Kind::kRun);
  EXPECT_EQ(placement.candidate.backend, kWasm);
  EXPECT_EQ(placement.fallback_from, "webgpu");
}

TEST_F(GuessTest, EvidenceGoesBeforeIt) {
  ready("b/0", kWebgpu);
  ready("b/0", kWasm);
  teach("b/0", kWebgpu, milliseconds(100));
  EXPECT_EQ(scheduler.placement_of(job(1)).candidate.backend, kWebgpu);
  teach("b/0", kWasm, milliseconds(50));
  const Placement placement = scheduler.placement_of(job(1));
  EXPECT_EQ(placement.candidate.backend, kWasm);
  EXPECT_EQ(placement.fallback_from, "webgpu");
  Job wish = job(2);
  wish.is_guess = false;
  EXPECT_EQ(scheduler.placement_of(wish).candidate.backend, kWebgpu) << "a wish is not overridden";
}

TEST_F(GuessTest, ASoftwareAdapterIsNotTriedForItsTimes) {
  scheduler.slot_gone("b/0");
  ready("a/0", kWebgpu);
  ready("a/0", kWasm);
  teach("a/0", kWasm, milliseconds(100));
  teach("a/0", kWebgpu, milliseconds(10));
  EXPECT_EQ(scheduler.placement_of(job(1)).candidate.backend, kWasm);
}

TEST(Favourite, DecidesBetweenWorkersThatNobodyHasMeasured) {
  Scheduler scheduler{SchedulerLimits{}};
  const Candidate graph{kWebgpu, "m@webgpu"};
  for (const auto& [slot, browser] :
       {std::pair("a/0", BrowserEngine::kChromium), std::pair("b/0", BrowserEngine::kFirefox)}) {
    scheduler.slot_configured(slot, {kWebgpu});
    scheduler.slot_up(slot, {kWebgpu}, {}, Tier::kTrusted, device(browser, 900, 0));
    scheduler.instance_ready(slot, graph, {}, TimePoint());
  }
  Job job{.id = 1, .candidates = {graph}, .is_guess = true, .family = Family::kAudio, .worker = {}};
  EXPECT_EQ(scheduler.placement_of(job).slot, "b/0");
  job.family = Family::kVision;
  EXPECT_EQ(scheduler.placement_of(job).slot, "a/0");
}

}  // namespace
}  // namespace shoal::schedule
