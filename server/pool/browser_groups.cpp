#include "server/pool/browser_groups.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace shoal::pool {

using schedule::Duty;

namespace {

GroupLoad load_of(const std::vector<Place>& places, std::uint64_t queued, bool is_short_of_memory) {
  GroupLoad load{.queued = queued, .is_short_of_memory = is_short_of_memory};
  for (const Place& place : places) {
    if (place.duty != Duty::kServing || place.condition == Place::Condition::kOut) {
      continue;
    }
    if (place.condition == Place::Condition::kComing) {
      ++load.coming;
    } else {
      ++load.ready;
      load.busy += place.is_busy ? 1 : 0;
    }
  }
  return load;
}

}  // namespace

BrowserGroups::BrowserGroups(boost::asio::any_io_executor executor, WorkerListener& listener, bool leases_accelerators)
    : executor_(std::move(executor)),
      listener_(listener),
      leases_accelerators_(leases_accelerators),
      alive_(std::make_shared<BrowserGroups*>(this)) {}

BrowserGroups::~BrowserGroups() { *alive_ = nullptr; }

Duty BrowserGroups::first_duty(const BrowserGroup& group, std::uint32_t number) {
  if (number < group.count) {
    return Duty::kServing;
  }
  return number < group.count + group.spares ? Duty::kSpare : Duty::kDormant;
}

void BrowserGroups::add(const BrowserGroup& group, const ScalingLimits& limits, std::vector<Slot*> slots) {
  ScalingLimits own = limits;
  own.min = least_of(group) * group.tabs;
  own.max = most_of(group) * group.tabs;
  for (const Slot* slot : slots) {
    if (slot->duty() != Duty::kServing) {
      listener_.slot_assigned(slot->spec().name, slot->duty());
    }
  }
  groups_.push_back({.kind = group.kind,
                     .spares = group.spares,
                     .scaling = Scaling(own, group.count * group.tabs),
                     .slots = std::move(slots)});
}

void BrowserGroups::check(TimePoint now, bool is_short_of_memory) {
  is_short_of_memory_ = is_short_of_memory;
  if (is_stopped_ || std::ranges::none_of(groups_, &Group::is_elastic)) {
    return;
  }
  std::vector<std::vector<std::string>> names;
  for (const Group& group : groups_) {
    std::vector<std::string>& own = names.emplace_back();
    for (const Slot* slot : group.slots) {
      own.push_back(slot->spec().name);
    }
  }
  const std::vector<schedule::Backlog> backlogs =
      demand_ ? demand_(names) : std::vector<schedule::Backlog>(names.size());
  for (std::size_t at = 0; at < groups_.size(); ++at) {
    if (groups_[at].is_elastic()) {
      check(groups_[at], now, backlogs.at(at));
    }
  }
}

void BrowserGroups::check(Group& group, TimePoint now, const schedule::Backlog& backlog) {
  const auto places_now = [&] {
    std::vector<Place> places;
    for (const Slot* slot : group.slots) {
      places.push_back(slot->place());
      places.back().is_named = std::ranges::find(backlog.named_slots, places.back().slot) != backlog.named_slots.end();
    }
    return places;
  };
  std::string why;
  if (const auto step = group.scaling.decide(now, load_of(places_now(), backlog.queued, is_short_of_memory_))) {
    ++(step->is_up ? group.ups : group.downs);
    why = step->reason;
  }
  // Each change makes the next: a spare serves, the lost one becomes the spare.
  for (std::size_t changes = 0; changes <= 2 * group.slots.size(); ++changes) {
    const auto change = reassign(places_now(), group.scaling.wanted(), group.spares, why);
    if (!change) {
      return;
    }
    Slot& slot = *group.slots[change->place];
    group.takeovers += slot.state() == SlotState::kSpare && change->duty == Duty::kServing ? 1 : 0;
    slot.assign(change->duty, change->reason);
  }
}

void BrowserGroups::worker_ready(Worker& worker) {
  listener_.worker_ready(worker);
  WorkerState state = worker.state();
  for (const Backend backend : {Backend::kWebgpu, Backend::kWebnn}) {
    if (leases_accelerators_ && std::erase(state.backends, backend) > 0) {
      state.why_not[backend] = "leased to " + state.slot;
    }
  }
  const auto name_of = [](const Slot* slot) -> const std::string& { return slot->spec().name; };
  for (const Group& group : groups_) {
    if (std::ranges::find(group.slots, state.slot, name_of) == group.slots.end()) {
      continue;
    }
    for (const Slot* slot : group.slots) {
      if (slot->duty() != Duty::kServing && !slot->has_connected()) {
        listener_.slot_expected(slot->spec().name, state);
      }
    }
  }
}

void BrowserGroups::worker_lost(const std::string& slot, const std::string& reason) {
  listener_.worker_lost(slot, reason);
  // Not from inside the slot's own change of state.
  boost::asio::post(executor_, [alive = alive_] {
    if (*alive != nullptr) {
      (*alive)->check(Clock::now(), (*alive)->is_short_of_memory_);
    }
  });
}

std::vector<GroupView> BrowserGroups::views() const {
  std::vector<GroupView> views;
  views.reserve(groups_.size());
  for (const Group& group : groups_) {
    views.push_back({.kind = group.kind,
                     .wanted = group.scaling.wanted(),
                     .spares = static_cast<std::uint32_t>(std::ranges::count_if(
                         group.slots, [](const Slot* slot) { return slot->state() == SlotState::kSpare; })),
                     .ups = group.ups,
                     .downs = group.downs,
                     .takeovers = group.takeovers});
  }
  return views;
}

}  // namespace shoal::pool
