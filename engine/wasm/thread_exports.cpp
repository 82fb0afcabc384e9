// What the threaded builds export beside the others: a pool of threads for a session. Each thread is an instance of
// this module with the same memory, whose __stack_pointer the embedder has set to a stack from shoal_thread_stack.
#include <cstdlib>
#include <memory>
#include <new>

#include "engine/wasm/plan_session.hpp"
#include "engine/wasm/thread_pool.hpp"

namespace shoal::wasm {
namespace {

// Kernels keep the totals of a tile on it, a few KiB.
constexpr std::size_t kStackBytes = std::size_t{256} << 10;

}  // namespace

extern "C" {

// Makes the session's steps run on `lanes` threads, the caller's among them; 0 when there is no memory. Before
// shoal_plan_prepare. The pool stays as long as the memory: threads may look at it until they have ended.
__attribute__((export_name("shoal_threads_make"))) ThreadPool* shoal_threads_make(PlanSession* session,
                                                                                  std::uint32_t lanes) {
  void* memory = std::malloc(sizeof(ThreadPool));
  if (memory == nullptr) {
    return nullptr;
  }
  auto* pool = new (memory) ThreadPool(lanes);
  session->run_on(*pool);
  return pool;
}

// The top of a new stack, or 0.
__attribute__((export_name("shoal_thread_stack"))) std::byte* shoal_thread_stack() {
  auto* stack = static_cast<std::byte*>(std::aligned_alloc(64, kStackBytes));
  return stack == nullptr ? nullptr : stack + kStackBytes;
}

// The body of the thread for a lane. It does not return.
__attribute__((export_name("shoal_thread_serve"))) void shoal_thread_serve(ThreadPool* pool, std::uint32_t lane) {
  pool->serve(lane);
}

// After a trap of shoal_thread_serve.
__attribute__((export_name("shoal_thread_trapped"))) void shoal_thread_trapped(ThreadPool* pool) { pool->abandon(); }

}  // extern "C"

}  // namespace shoal::wasm
