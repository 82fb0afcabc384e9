#include "server/app/heap.hpp"

#include <malloc.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <cstddef>
#include <utility>

namespace shoal::app {
namespace {

constexpr int kMiB = 1 << 20;
// Buffers up to here are parts of the heap; glibc takes no larger value.
constexpr int kMappedFrom = 32 * kMiB;
// So much is kept free at the heap's end.
constexpr int kKept = 128 * kMiB;
constexpr std::size_t kWorthwhile = std::size_t{16} * kMiB;
constexpr auto kEvery = std::chrono::seconds(2);

}  // namespace

Heap::Heap(boost::asio::any_io_executor main, boost::asio::thread_pool& cpu, std::function<Requests()> requests)
    : timer_(std::move(main)), cpu_(cpu), requests_(std::move(requests)) {}

void Heap::set_up() {
  // Of threads' own heaps malloc_trim() gives the end not back, and a buffer would be kept in each.
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, kMappedFrom);
  mallopt(M_TRIM_THRESHOLD, kKept);
}

void Heap::look_later() {
  timer_.expires_after(kEvery);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      look();
      look_later();
    }
  });
}

void Heap::look() {
  const Requests now = requests_();
  const bool is_quiet = !now.is_open && now.count == seen_;
  seen_ = now.count;
  if (!is_quiet || now.count == cleaned_) {
    return;
  }
  cleaned_ = now.count;
  boost::asio::post(cpu_, [] {
    if (mallinfo2().fordblks >= kWorthwhile) {
      malloc_trim(0);
    }
  });
}

}  // namespace shoal::app
