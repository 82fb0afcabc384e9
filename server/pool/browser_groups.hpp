// The groups of browsers as wholes: keeps as many of each one's slots serving, and as spares, as it wants now. The
// shell of Scaling and reassign(). What slots tell of their workers passes through here, so that a spare takes over at
// once. Lives on the main lane; owned by the pool.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/pool/config.hpp"
#include "server/pool/scaling.hpp"
#include "server/pool/slot.hpp"
#include "server/pool/worker.hpp"
#include "server/schedule/duty.hpp"

namespace shoal::pool {

// What waits for the slots of each group, asked by their names; answers in the order of the groups.
using DemandOf = std::function<std::vector<schedule::Backlog>(const std::vector<std::vector<std::string>>& groups)>;

// As operators see it.
struct GroupView {
  std::string kind;
  std::uint32_t wanted = 0;  // serving
  std::uint32_t spares = 0;  // that are there
  std::uint64_t ups = 0;     // steps since the start
  std::uint64_t downs = 0;
  std::uint64_t takeovers = 0;  // spares that were given work to do
};

class BrowserGroups final : public WorkerListener {
 public:
  // `listener` outlives this. `leases_accelerators`: what one of a group has there, the others have not.
  BrowserGroups(boost::asio::any_io_executor executor, WorkerListener& listener, bool leases_accelerators);
  ~BrowserGroups() override;

  // What the slots of a browser are for at the start: `number` counts the group's browsers.
  static schedule::Duty first_duty(const BrowserGroup& group, std::uint32_t number);
  // The slots of one group, in the order of their numbers; they outlive this.
  void add(const BrowserGroup& group, const ScalingLimits& limits, std::vector<Slot*> slots);
  void set_demand(DemandOf demand) { demand_ = std::move(demand); }
  // Of all groups: Scaling::set_pace().
  void set_pace(const ScalingLimits& limits) {
    for (Group& group : groups_) {
      group.scaling.set_pace(limits);
    }
  }

  // How many each group wants now, and who it is. To be called several times a second. `is_short_of_memory`: there is
  // none for more browsers.
  void check(TimePoint now, bool is_short_of_memory);
  // The pool closes: nothing is changed any more.
  void stop() { is_stopped_ = true; }

  [[nodiscard]] std::vector<GroupView> views() const;

  // What is known of it is expected of those slots of its group that never had one.
  void worker_ready(Worker& worker) override;
  void worker_worn(const std::string& slot) override { listener_.worker_worn(slot); }
  void worker_pressed(const std::string& slot, bool is_pressed) override { listener_.worker_pressed(slot, is_pressed); }
  void worker_resumed(const std::string& slot) override { listener_.worker_resumed(slot); }
  void worker_lost(const std::string& slot, const std::string& reason) override;
  void slot_assigned(const std::string& slot, schedule::Duty duty) override { listener_.slot_assigned(slot, duty); }

 private:
  struct Group {
    std::string kind;
    std::uint32_t spares = 0;
    Scaling scaling;
    std::vector<Slot*> slots;
    std::uint64_t ups = 0;
    std::uint64_t downs = 0;
    std::uint64_t takeovers = 0;
    // Its slots change their duty at all.
    [[nodiscard]] bool is_elastic() const { return slots.size() > scaling.limits().min; }
  };
  void check(Group& group, TimePoint now, const schedule::Backlog& backlog);

  boost::asio::any_io_executor executor_;
  WorkerListener& listener_;
  DemandOf demand_;
  std::vector<Group> groups_;
  bool leases_accelerators_;
  bool is_stopped_ = false;
  bool is_short_of_memory_ = false;
  // Checks that are posted to the lane look here before they touch this.
  std::shared_ptr<BrowserGroups*> alive_;
};

}  // namespace shoal::pool
