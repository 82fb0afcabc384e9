#include "server/schedule/placement.hpp"

#include <gtest/gtest.h>

namespace shoal::schedule {
namespace {

const Candidate kWasm{Backend::kWasm, "m@wasm"};
const Candidate kWebgpu{Backend::kWebgpu, "m@webgpu"};

Slot slot_of(std::map<Backend, Engine> engines, bool is_up = true) { return {is_up, std::move(engines)}; }
Engine usable() { return {.usable = true, .why_not = {}, .in_flight = 0, .instances = {}}; }
Engine ready(const Candidate& candidate, std::uint32_t in_flight = 0) {
  return {true, {}, in_flight, {{candidate.instance, {InstanceState::Kind::kReady, {}, {}, 0, {}}}}};
}
Job job_of(std::vector<Candidate> candidates) { return {.id = 1, .candidates = std::move(candidates), .worker = {}}; }

TEST(Placement, PrefersTheIdleWorkerThatHasTheInstance) {
  const Slots slots = {{"a/0", slot_of({{Backend::kWasm, usable()}})},
                       {"a/1", slot_of({{Backend::kWasm, ready(kWasm, 1)}})},
                       {"a/2", slot_of({{Backend::kWasm, ready(kWasm, 0)}})}};
  const Placement placement = place(slots, job_of({kWasm}), {});
  EXPECT_EQ(placement.kind, Placement::Kind::kRun);
  EXPECT_EQ(placement.slot, "a/2");
}

TEST(Placement, FallsBackOnlyWhenTheBackendIsNowhereAndSaysSo) {
  Engine refused = {false, "no adapter", 0, {}};
  Slots slots = {{"a/0", slot_of({{Backend::kWebgpu, refused}, {Backend::kWasm, ready(kWasm)}})}};
  Placement placement = place(slots, job_of({kWebgpu, kWasm}), {});
  EXPECT_EQ(placement.kind, Placement::Kind::kRun);
  EXPECT_EQ(placement.candidate.backend, Backend::kWasm);
  EXPECT_EQ(placement.fallback_from, "webgpu");
  slots["a/1"] = slot_of({{Backend::kWebgpu, usable()}}, false);
  placement = place(slots, job_of({kWebgpu, kWasm}), {});
  EXPECT_EQ(placement.kind, Placement::Kind::kWait) << "a browser with it is on its way";
}

TEST(Placement, DemandedBackendThatIsNotThereIsATypedErrorWithTheReason) {
  const Slots slots = {
      {"a/0", slot_of({{Backend::kWebgpu, {false, "no adapter", 0, {}}}, {Backend::kWasm, ready(kWasm)}})}};
  const Placement placement = place(slots, job_of({kWebgpu}), {});
  EXPECT_EQ(placement.kind, Placement::Kind::kImpossible);
  EXPECT_EQ(placement.error.code, Code::kBackendUnavailable);
  EXPECT_NE(placement.error.message.find("webgpu"), std::string::npos);
  EXPECT_NE(placement.error.message.find("no adapter"), std::string::npos);
}

TEST(Placement, DemandedWorkerIsTheOnlyOneLookedAt) {
  const Slots slots = {{"a/0", slot_of({{Backend::kWasm, ready(kWasm)}})},
                       {"a/1", slot_of({{Backend::kWebgpu, usable()}})}};
  Job job = job_of({kWasm});
  job.worker = "a/1";
  const Placement placement = place(slots, job, {});
  EXPECT_EQ(placement.kind, Placement::Kind::kImpossible);
  EXPECT_NE(placement.error.message.find("worker 'a/1'"), std::string::npos);
}

TEST(Placement, FailedGraphGivesItsOwnErrorOrTheNextCandidate) {
  Engine failed = usable();
  failed.instances[kWebgpu.instance] = {.kind = InstanceState::Kind::kFailed,
                                        .since = {},
                                        .last_used = {},
                                        .error = Error{Code::kOperatorNotSupported, "Foo", {}}};
  const Slots slots = {{"a/0", slot_of({{Backend::kWebgpu, failed}, {Backend::kWasm, ready(kWasm)}})}};
  EXPECT_EQ(place(slots, job_of({kWebgpu}), {}).error.code, Code::kOperatorNotSupported);
  EXPECT_EQ(place(slots, job_of({kWebgpu, kWasm}), {}).fallback_from, "webgpu");
}

Slots one_of_two(Intake intake) {
  Slots slots = {{"a/0", slot_of({{Backend::kWasm, ready(kWasm)}})},
                 {"a/1", slot_of({{Backend::kWasm, ready(kWasm, 1)}})}};
  slots["a/0"].intake = intake;
  return slots;
}

TEST(Placement, SkipsWhatIsDrained) {
  for (const Intake intake : {Intake::kHeld, Intake::kDrained}) {
    const Placement placement = place(one_of_two(intake), job_of({kWasm}), {});
    EXPECT_EQ(placement.kind, Placement::Kind::kRun);
    EXPECT_EQ(placement.slot, "a/1");
  }
}

TEST(Placement, ADemandForADrainedWorkerIsATypedErrorThatNamesIt) {
  Job job = job_of({kWasm});
  job.worker = "a/0";
  const Placement refused = place(one_of_two(Intake::kDrained), job, {});
  EXPECT_EQ(refused.kind, Placement::Kind::kImpossible);
  EXPECT_EQ(refused.error.code, Code::kUnavailable);
  EXPECT_EQ(refused.error.param, "shoal_worker");
  EXPECT_NE(refused.error.message.find("'a/0' is drained"), std::string::npos);
  EXPECT_EQ(place(one_of_two(Intake::kHeld), job, {}).kind, Placement::Kind::kWait) << "its next browser takes it";
}

TEST(Placement, WhereAllAreDrainedTheNextCandidateOrATypedErrorIsLeft) {
  Slots slots = {{"a/0", slot_of({{Backend::kWebgpu, ready(kWebgpu)}})},
                 {"a/1", slot_of({{Backend::kWasm, ready(kWasm)}})}};
  slots["a/0"].intake = Intake::kDrained;
  const Placement placement = place(slots, job_of({kWebgpu, kWasm}), {});
  EXPECT_EQ(placement.kind, Placement::Kind::kRun);
  EXPECT_EQ(placement.fallback_from, "webgpu");
  const Placement refused = place(slots, job_of({kWebgpu}), {});
  EXPECT_EQ(refused.kind, Placement::Kind::kImpossible);
  EXPECT_EQ(refused.error.code, Code::kUnavailable);
}

TEST(Placement, WithoutBalancingTheFirstThatWillDo) {
  Slots slots = {{"a/0", slot_of({{Backend::kWasm, ready(kWasm)}})},
                 {"a/1", slot_of({{Backend::kWasm, ready(kWasm)}})}};
  slots["a/0"].engines[Backend::kWasm].in_flight = 1;
  EXPECT_EQ(place(slots, job_of({kWasm}), {}).slot, "a/1");
  EXPECT_EQ(place(slots, job_of({kWasm}), {.balances_load = false}).slot, "a/0");
  slots["a/0"].engines[Backend::kWasm].in_flight = 2;
  EXPECT_EQ(place(slots, job_of({kWasm}), {.balances_load = false}).slot, "a/1") << "the first is full";
}

Engine measured(const Candidate& candidate, std::chrono::milliseconds time, std::uint32_t in_flight = 0) {
  Engine engine = ready(candidate, in_flight);
  engine.costs[candidate.instance].add(1, time);
  return engine;
}

using std::chrono::milliseconds;

TEST(Placement, TakesTheWorkerWhereItEndsFirst) {
  Slots slots = {{"a/0", slot_of({{Backend::kWasm, measured(kWasm, milliseconds(100))}})},
                 {"a/1", slot_of({{Backend::kWasm, measured(kWasm, milliseconds(30), 1)}})}};
  EXPECT_EQ(place(slots, job_of({kWasm}), {}).slot, "a/1") << "two runs there take less than one here";
  slots["a/1"] = slot_of({{Backend::kWasm, measured(kWasm, milliseconds(60), 1)}});
  EXPECT_EQ(place(slots, job_of({kWasm}), {}).slot, "a/0");
  slots["a/2"] = slot_of({{Backend::kWasm, ready(kWasm)}});
  EXPECT_EQ(place(slots, job_of({kWasm}), {}).slot, "a/2") << "expected to be like the others: 80 ms";
  EXPECT_EQ(place(slots, job_of({kWasm}), {.balances_load = false}).slot, "a/0");
}

TEST(Placement, AMeasuredBackendGoesBeforeThePreferredOneOnlyWhereThatIsWanted) {
  const Slots slots = {{"a/0", slot_of({{Backend::kWebgpu, measured(kWebgpu, milliseconds(100))},
                                        {Backend::kWasm, measured(kWasm, milliseconds(70))}})}};
  EXPECT_EQ(place(slots, job_of({kWebgpu, kWasm}), {}).candidate.backend, Backend::kWebgpu);
  const SchedulerLimits limits{.prefers_measured = true};
  const Placement placement = place(slots, job_of({kWebgpu, kWasm}), limits);
  EXPECT_EQ(placement.candidate.backend, Backend::kWasm);
  EXPECT_EQ(placement.fallback_from, "webgpu");
  EXPECT_EQ(place(slots, job_of({kWasm, kWebgpu}), limits).fallback_from, "");
  const Slots alike = {{"a/0", slot_of({{Backend::kWebgpu, measured(kWebgpu, milliseconds(100))},
                                        {Backend::kWasm, measured(kWasm, milliseconds(90))}})}};
  EXPECT_EQ(place(alike, job_of({kWebgpu, kWasm}), limits).candidate.backend, Backend::kWebgpu);
  const Slots unknown = {
      {"a/0", slot_of({{Backend::kWebgpu, measured(kWebgpu, milliseconds(100))}, {Backend::kWasm, ready(kWasm)}})}};
  EXPECT_EQ(place(unknown, job_of({kWebgpu, kWasm}), limits).candidate.backend, Backend::kWebgpu);
}

}  // namespace
}  // namespace shoal::schedule
