// Keeps a server's gate to what the file of API keys says. Main lane; owned by the app.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <memory>

#include "engine/core/result.hpp"
#include "server/auth/gate.hpp"
#include "server/core/log.hpp"

namespace shoal::app {

class KeyWatch {
 public:
  // `gate` outlives it.
  KeyWatch(boost::asio::any_io_executor main, std::filesystem::path file, auth::Gate& gate, Log log);

  // Closes the gate with the keys that are there, and from then on looks once a second whether the file is another. One
  // that cannot be read changes nothing and is logged. kInvalidArgument when there is no usable key, or the file is
  // damaged.
  Status start();
  void stop() { timer_.cancel(); }
  // Another file from now on, with the same demands as start(); on an error nothing is changed.
  Status change_file(std::filesystem::path file);

 private:
  using Stamp = std::filesystem::file_time_type;
  // The keys of the file; kInvalidArgument when none of them is usable.
  static Result<auth::KeyBook> usable(const std::filesystem::path& file);
  void look_later();
  [[nodiscard]] static Stamp stamp(const std::filesystem::path& file);

  boost::asio::steady_timer timer_;
  std::filesystem::path file_;
  auth::Gate& gate_;
  Log log_;
  Stamp seen_;
};

}  // namespace shoal::app
