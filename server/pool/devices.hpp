// The devices that joined by URL and the tokens that let them in. Decides over a device's hello, keeps the devices that
// are connected, and ends those whose token has ended. Lives on the main lane; owned by the pool.
#pragma once

#include <shoal/agent/v1/agent.pb.h>

#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/log.hpp"
#include "server/join/failures.hpp"
#include "server/join/token_book.hpp"
#include "server/pool/config.hpp"
#include "server/pool/device.hpp"

namespace shoal::pool {

class Devices {
 public:
  // All references outlive this.
  Devices(const PoolConfig& config, WorkerListener& listener, EventLog& events, Log log);
  Devices(const Devices&) = delete;
  Devices& operator=(const Devices&) = delete;
  ~Devices();

  // Reads the tokens; nothing where joining is off. kInvalidArgument when their file is damaged.
  Status start();

  // A device's place, until it is destroyed: then the device is gone.
  class Seat {
   public:
    Seat(Devices& devices, Device& device) : devices_(&devices), device_(&device) {}
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    Seat(Seat&& other) noexcept : devices_(other.devices_), device_(std::exchange(other.device_, nullptr)) {}
    Seat& operator=(Seat&&) = delete;
    ~Seat();
    [[nodiscard]] Device& device() const { return *device_; }

   private:
    Devices* devices_;
    Device* device_;
  };
  struct Refusal {
    std::uint16_t close_code;
    std::string reason;
  };
  // The hello of an agent that says it is a device; `peer` is its address.
  std::expected<Seat, Refusal> admit(const agent::v1::Hello& hello, std::string_view peer, TimePoint now);

  // Verdicts of liveness, tokens that have ended, runs.
  void check(TimePoint now);
  void close();
  [[nodiscard]] bool empty() const { return devices_.empty(); }
  [[nodiscard]] Device* find(std::string_view name);
  void add_views(std::vector<SlotView>& views) const;

  // Operators. The errors are TokenBook's; kUnavailable where joining is off; kInternal when it cannot be written down.
  struct Created {
    const join::Token* token;
    std::string secret;  // told once
    std::string url;
  };
  Result<Created> create_token(join::TokenSpec spec);
  // Its devices are disconnected.
  Result<const join::Token*> revoke_token(std::string_view id);
  [[nodiscard]] const std::vector<join::Token>& tokens() const { return book_.tokens(); }
  // Disconnects it for good. kNotFound.
  Status quarantine(std::string_view name, const std::string& reason);

 private:
  std::expected<Seat, Refusal> let_in(const agent::v1::Hello& hello);
  void remove(const Device& device);
  [[nodiscard]] std::filesystem::path file() const;
  Status save();

  const PoolConfig& config_;
  WorkerListener& listener_;
  EventLog& events_;
  Log log_;
  join::TokenBook book_;
  join::Failures failures_;
  std::map<std::string, std::unique_ptr<Device>, std::less<>> devices_;
  bool is_closed_ = false;
};

}  // namespace shoal::pool
