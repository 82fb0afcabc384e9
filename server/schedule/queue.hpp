// The jobs that wait, in the order in which they are served: priority, then earliest deadline, then arrival;
// ageing raises the priority. They are
// kept in groups: jobs of one group can go to the same places, so that where one must wait all of them do. Pure.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "server/schedule/job.hpp"

namespace shoal::schedule {

// Smaller is served earlier.
struct Rank {
  std::uint32_t priority = 0;  // 0: aged, before all others
  bool is_late = false;        // its time in the queue is over
  TimePoint deadline;
  std::uint64_t sequence = 0;  // of arrival
  JobId job = 0;
  auto operator<=>(const Rank&) const = default;
};

class Queue {
 public:
  using Group = std::set<Rank>;  // never empty
  struct Head {
    Rank rank;
    const Group* group;
  };

  // Jobs with the same one can go to the same places, and may be joined if they can be joined at all.
  static std::string group_of(const Job& job);

  void insert(const std::string& group, const Rank& rank, std::uint64_t bytes);
  void erase(const std::string& group, const Rank& rank, std::uint64_t bytes);

  // The group whose first job is served first; of those after `rank`. Nothing when there is none.
  [[nodiscard]] std::optional<Head> first() const;
  [[nodiscard]] std::optional<Head> first_after(const Rank& rank) const;

  [[nodiscard]] bool contains(const std::string& group) const { return groups_.contains(group); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  std::map<std::string, Group> groups_;
  std::map<Rank, const Group*> heads_;
  std::size_t size_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace shoal::schedule
