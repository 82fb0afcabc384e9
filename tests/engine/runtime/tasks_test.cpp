// Tasks do not allocate: on WASM they run on threads for which libc is not made. A program of its own, because it
// counts what the whole program allocates, from its first step on.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "engine/runtime/executor.hpp"
#include "tests/engine/support/sequence_run.hpp"
#include "tests/engine/support/small_models.hpp"

namespace {

bool is_in_task = false;
std::size_t allocations = 0;
std::size_t tasks = 0;

void* allocate(std::size_t size) {
  allocations += is_in_task ? 1 : 0;
  void* memory = std::malloc(size);
  return memory == nullptr ? throw std::bad_alloc() : memory;
}

void release(void* memory) {
  allocations += is_in_task ? 1 : 0;
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }

namespace shoal::runtime {
namespace {

using graph::Symbol;

class Watched final : public Parallel {
 public:
  [[nodiscard]] std::uint32_t lanes() const override { return 2; }
  void run(std::uint32_t task_count, TaskRef task) override {
    is_in_task = true;
    for (std::uint32_t index = 0; index < task_count; ++index) {
      task(index, index % 2);
      ++tasks;
    }
    is_in_task = false;
  }
};

TEST(Tasks, DoNotAllocate) {
  Serial serial;
  Watched watched;
  graph::Extents limits;
  for (const Symbol symbol : {Symbol::kRows, Symbol::kSlots, Symbol::kOutputs}) {
    limits[symbol] = 2;
  }
  limits[Symbol::kTokens] = 8;
  limits[Symbol::kContext] = 32;
  const auto small = test::small_llama(serial);
  for (const KvBits kv : {KvBits{32, 32}, KvBits{16, 16}, KvBits{8, 4}, KvBits{4, 2}}) {
    auto executor = *Executor::make(small.model.plan, small.weights, limits, watched, kv);
    SequenceEngine engine({.limits = limits, .vocabulary = 50});
    ASSERT_TRUE(engine.add({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {.generation = {.max_tokens = 4}}));
    ASSERT_TRUE(engine.add({11}, {.generation = {.max_tokens = 6}}));
    while (test::run_step(*executor, engine)) {
    }
  }
  const auto bert = test::small_bert(serial);
  auto encoder = *Executor::make(bert.model.plan, bert.weights, limits, watched);
  const std::vector<std::int32_t> tokens = {1, 2, 3, 4};
  const Row row{.tokens = tokens};
  ASSERT_TRUE(encoder->run("encode", *make_step({&row, 1})));
  EXPECT_GT(tasks, 100U);
  EXPECT_EQ(allocations, 0U);
}

}  // namespace
}  // namespace shoal::runtime
