// Threads, passed in: the engine owns none. A task may run on any thread, tasks of one call in any order; run() returns
// when all have ended. Tasks neither allocate nor fail.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace shoal {

// A callable that outlives the call it is passed to: no allocation, no copy.
class TaskRef {
 public:
  template <class Callable>
  explicit TaskRef(Callable& callable)
      : context_(&callable), call_([](void* context, std::uint32_t task, std::uint32_t lane) {
          (*static_cast<Callable*>(context))(task, lane);
        }) {}

  void operator()(std::uint32_t task, std::uint32_t lane) const { call_(context_, task, lane); }

 private:
  void* context_;
  void (*call_)(void*, std::uint32_t, std::uint32_t);
};

class Parallel {
 public:
  Parallel() = default;
  Parallel(const Parallel&) = delete;
  Parallel& operator=(const Parallel&) = delete;
  virtual ~Parallel() = default;

  // How many tasks may run at once. A task is told which of these lanes it runs on, for scratch memory of its own.
  [[nodiscard]] virtual std::uint32_t lanes() const = 0;
  virtual void run(std::uint32_t task_count, TaskRef task) = 0;
};

// The caller's own thread.
class Serial final : public Parallel {
 public:
  [[nodiscard]] std::uint32_t lanes() const override { return 1; }
  void run(std::uint32_t task_count, TaskRef task) override {
    for (std::uint32_t index = 0; index < task_count; ++index) {
      task(index, 0);
    }
  }
};

// Calls body(begin, end, lane) for pieces of [0, count) that begin at multiples of `grain`: a few for each lane.
template <class Body>
void for_ranges(Parallel& parallel, std::size_t count, std::size_t grain, Body&& body) {
  constexpr std::size_t kPiecesPerLane = 4;
  const std::size_t pieces = parallel.lanes() == 1 ? 1 : parallel.lanes() * kPiecesPerLane;
  const std::size_t grains = (count + grain - 1) / grain;
  const std::size_t step = std::max<std::size_t>(1, (grains + pieces - 1) / pieces) * grain;
  auto task = [&](std::uint32_t index, std::uint32_t lane) {
    body(index * step, std::min(count, (index + 1) * step), lane);
  };
  parallel.run(static_cast<std::uint32_t>((count + step - 1) / step), TaskRef(task));
}

}  // namespace shoal
