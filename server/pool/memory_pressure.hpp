// How near the browsers of this machine are to what they may take, each by itself and all together. Pure: measurements
// go in, what has changed comes out.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace shoal::pool {

struct BrowserMemory {
  std::string slot;
  std::uint64_t bytes = 0;  // of its process tree (PSS)
  std::uint64_t limit = 0;  // its own; 0 = none
};

class MemoryPressure {
 public:
  // Pressed from nine tenths of a limit on, until below eight tenths of it.
  static constexpr double kPressed = 0.9;
  static constexpr double kRelieved = 0.8;
  // The name that all browsers together have in Change::slot.
  static constexpr const char* kTogether = "pool";

  // `total_limit`: of all browsers together; 0 = none.
  explicit MemoryPressure(std::uint64_t total_limit) : total_limit_(total_limit) {}

  struct Change {
    std::string slot;
    bool is_pressed = false;
    std::string reason;  // in words
  };
  // One measurement of every browser that there is; the changes since the one before.
  std::vector<Change> look(std::span<const BrowserMemory> browsers);

  [[nodiscard]] bool is_pressed(const std::string& slot) const { return pressed_.contains(slot); }
  [[nodiscard]] bool is_pressed() const { return is_pressed(kTogether); }
  [[nodiscard]] std::uint64_t total_bytes() const { return total_bytes_; }
  [[nodiscard]] std::uint64_t total_limit() const { return total_limit_; }
  // Why the largest browser should go, in words: together they are beyond the limit.
  [[nodiscard]] std::optional<std::string> excess() const;

 private:
  void judge(const std::string& slot, std::uint64_t bytes, std::uint64_t limit, std::vector<Change>& changes);

  std::uint64_t total_limit_;
  std::uint64_t total_bytes_ = 0;
  std::set<std::string> pressed_;
};

}  // namespace shoal::pool
