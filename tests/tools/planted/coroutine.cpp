// Planted: a coroutine lambda that captures. clang-tidy must refuse this file.
#include <coroutine>
#include <exception>

struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

Task planted() { co_await std::suspend_always{}; }

void planted_lambda(int number) {
  auto task = [number]() -> Task { co_await std::suspend_always{}, (void)number; };
  task();
}
