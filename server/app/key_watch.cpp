#include "server/app/key_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/auth/key_file.hpp"

namespace shoal::app {
namespace {

constexpr auto kLookInterval = std::chrono::seconds(1);

}  // namespace

KeyWatch::KeyWatch(boost::asio::any_io_executor main, std::filesystem::path file, auth::Gate& gate, Log log)
    : timer_(std::move(main)), file_(std::move(file)), gate_(gate), log_(std::move(log)) {}

Result<auth::KeyBook> KeyWatch::usable(const std::filesystem::path& file) {
  auto book = auth::load(file);
  if (!book) {
    return fail(std::move(book.error()));
  }
  if (std::ranges::none_of(
          book->keys(), [now = wall_now()](const auth::Key& key) { return auth::key_state(key, now) == "usable"; })) {
    return fail(Code::kInvalidArgument,
                fmt::format("auth.enabled: {} has no usable key; make one with 'shoal keys create NAME --scopes infer'",
                            file.string()),
                "auth.keys");
  }
  return book;
}

Status KeyWatch::start() {
  if (Status status = change_file(file_); !status) {
    return status;
  }
  look_later();
  return {};
}

Status KeyWatch::change_file(std::filesystem::path file) {
  const Stamp seen = stamp(file);
  auto book = usable(file);
  if (!book) {
    return fail(std::move(book.error()));
  }
  file_ = std::move(file);
  seen_ = seen;
  gate_.close(*std::move(book));
  return {};
}

void KeyWatch::look_later() {
  timer_.expires_after(kLookInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;
    }
    if (const Stamp now = stamp(file_); now != seen_) {
      seen_ = now;
      if (auto book = auth::load(file_)) {
        log_.info("keys_read", {{"file", file_.string()}, {"keys", book->keys().size()}});
        gate_.close(*std::move(book));
      } else {
        log_.error("keys_unreadable", {{"error", book.error().message}});
      }
    }
    look_later();
  });
}

KeyWatch::Stamp KeyWatch::stamp(const std::filesystem::path& file) {
  std::error_code error;
  const Stamp found = std::filesystem::last_write_time(file, error);
  return error ? Stamp::min() : found;
}

}  // namespace shoal::app
