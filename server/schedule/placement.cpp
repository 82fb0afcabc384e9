#include "server/schedule/placement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "server/schedule/choice.hpp"

namespace shoal::schedule {
namespace {

// The demanded worker can be gone for good, or be one that this job must not reach.
Status check_worker(const Slots& slots, const Job& job) {
  const auto found = slots.find(*job.worker);
  if (found == slots.end()) {
    return fail(Code::kUnavailable, fmt::format("worker '{}' has left", *job.worker), "shoal_worker");
  }
  if (found->second.tier < job.min_tier) {
    return fail(Code::kUnavailable,
                fmt::format("worker '{}' is {}, and this request goes to {} workers only", *job.worker,
                            tier_name(found->second.tier), tier_name(job.min_tier)),
                "shoal_trust");
  }
  return {};
}

// Of a backend that is nowhere: "any worker", or "any trusted worker" where others have it.
std::string where(const Slots& slots, const Job& job, Backend backend) {
  const bool is_elsewhere = std::ranges::any_of(slots, [&](const auto& entry) {
    const auto engine = entry.second.engines.find(backend);
    return entry.second.tier < job.min_tier && engine != entry.second.engines.end() && engine->second.usable;
  });
  return is_elsewhere ? fmt::format("any {} worker of this pool", tier_name(job.min_tier)) : "any worker of this pool";
}

// What may be done where the client and the model leave the order to us.
bool is_worth_a_guess(const Candidate& candidate) { return candidate.is_prior || candidate.backend == Backend::kWasm; }

// A later candidate that is loaded and free where it is measured to end well before `best` does; where the order is a
// guess, to run well faster: what waits there just now makes no difference then, so that answers do not change with it.
std::optional<Placement> faster_than(const Choice& preferred_choice, const Job& job, const Candidate& preferred,
                                     const SchedulerLimits& limits, const Chooser& chosen) {
  // So that two that are alike do not take turns.
  constexpr double kMargin = 0.8;
  std::optional<Placement> faster;
  const auto time_of = [&limits](const Choice& choice) {
    return limits.prefers_measured ? choice.seconds : choice.run;
  };
  if (!time_of(preferred_choice)) {
    return faster;
  }
  double best = *time_of(preferred_choice) * kMargin;
  std::string skipped;
  for (const Candidate& candidate : job.candidates) {
    const bool is_open = &candidate > &preferred && (limits.prefers_measured || is_worth_a_guess(candidate));
    const auto choice = is_open ? chosen(candidate) : std::nullopt;
    if (choice && choice->is_ready() && time_of(*choice).value_or(best) < best) {
      best = *time_of(*choice);
      faster = Placement{Placement::Kind::kRun, choice->slot, candidate, {}, skipped, {}};
    }
    skipped += (skipped.empty() ? "" : ",") + std::string(backend_name(candidate.backend));
  }
  return faster;
}

// While the graph that was guessed to be the best one is being built: a later one that could run now.
std::optional<Placement> meanwhile(const Job& job, const Candidate& preferred, const Chooser& chosen) {
  std::string skipped;
  for (const Candidate& candidate : job.candidates) {
    if (&candidate > &preferred && is_worth_a_guess(candidate)) {
      if (const auto choice = chosen(candidate); choice && choice->is_ready()) {
        return Placement{Placement::Kind::kRun, choice->slot, candidate, {}, skipped, {}};
      }
    }
    skipped += (skipped.empty() ? "" : ",") + std::string(backend_name(candidate.backend));
  }
  return std::nullopt;
}

}  // namespace

Placement place(const Slots& slots, const Job& job, const SchedulerLimits& limits, const Moment& moment) {
  return place(slots, job, limits,
               [&](const Candidate& candidate) { return choose(slots, job, candidate, limits, moment); });
}

Placement place(const Slots& slots, const Job& job, const SchedulerLimits& limits, const Chooser& chosen) {
  if (job.worker) {
    if (Status status = check_worker(slots, job); !status) {
      return {Placement::Kind::kImpossible, {}, {}, {}, {}, std::move(status.error())};
    }
  }
  std::string skipped;
  Error last_error{Code::kBackendUnavailable, "", {}};
  for (const Candidate& candidate : job.candidates) {
    const std::optional<Choice> best = chosen(candidate);
    const Offer::Rank rank = best ? best->offer.rank : Offer::Rank::kNone;
    const auto placed = [&](Placement::Kind kind) {
      return Placement{.kind = kind,
                       .slot = best->slot,
                       .candidate = candidate,
                       .evicted = best->offer.evicted,
                       .fallback_from = skipped,
                       .error = {},
                       .needs_room = best->offer.needs_room,
                       .again = best->again};
    };
    switch (rank) {
      case Offer::Rank::kReady:
        if (limits.prefers_measured || job.is_guess) {
          if (auto faster = faster_than(*best, job, candidate, limits, chosen)) {
            return *std::move(faster);
          }
        }
        return placed(Placement::Kind::kRun);
      case Offer::Rank::kLoadable:
        return placed(Placement::Kind::kLoad);
      case Offer::Rank::kComing:
      case Offer::Rank::kBusy:
        if (job.is_guess && (rank == Offer::Rank::kBusy || best->offer.is_loading)) {
          if (auto now = meanwhile(job, candidate, chosen)) {
            return *std::move(now);
          }
        }
        return placed(Placement::Kind::kWait);
      case Offer::Rank::kFailed:
        last_error = best->offer.error;
        break;
      case Offer::Rank::kDrained:
        if (last_error.code == Code::kBackendUnavailable) {
          last_error = job.worker ? Error{Code::kUnavailable,
                                          fmt::format("worker '{}' is drained: it takes no new work", best->slot),
                                          "shoal_worker"}
                                  : Error{Code::kUnavailable,
                                          fmt::format("every worker with backend '{}' is drained: it takes no new work",
                                                      backend_name(candidate.backend)),
                                          {}};
        }
        break;
      case Offer::Rank::kNone:
        if (last_error.code == Code::kBackendUnavailable) {
          const std::string why = best && !best->offer.error.message.empty() ? ": " + best->offer.error.message : "";
          last_error.message =
              fmt::format("backend '{}' is not available on {}{}", backend_name(candidate.backend),
                          job.worker ? "worker '" + *job.worker + "'" : where(slots, job, candidate.backend), why);
          last_error.param = job.worker ? "shoal_worker" : "shoal_backend";
        }
        break;
    }
    skipped += (skipped.empty() ? "" : ",") + std::string(backend_name(candidate.backend));
  }
  return {Placement::Kind::kImpossible, {}, {}, {}, {}, last_error};
}

}  // namespace shoal::schedule
