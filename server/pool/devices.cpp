#include "server/pool/devices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/core/check.hpp"
#include "server/core/ids.hpp"
#include "server/join/token_file.hpp"
#include "server/wire/agent_messages.hpp"
#include "server/wire/frame.hpp"

namespace shoal::pool {

namespace {

constexpr std::size_t kSecretBytes = 24;  // 192 bits
constexpr std::size_t kMaxSecretBytes = 256;

bool is_over(join::TokenState state) { return state != join::TokenState::kUsable && state != join::TokenState::kUsed; }

std::unexpected<Devices::Refusal> refused(std::uint16_t code, std::string reason) {
  return std::unexpected(Devices::Refusal{code, std::move(reason)});
}

}  // namespace

Devices::Seat::~Seat() {
  if (device_ != nullptr) {
    devices_->remove(*device_);
  }
}

Devices::Devices(const PoolConfig& config, WorkerListener& listener, EventLog& events, Log log)
    : config_(config),
      listener_(listener),
      events_(events),
      log_(std::move(log)),
      failures_(config.join.max_failures, config.join.failure_window) {}

Devices::~Devices() = default;

std::filesystem::path Devices::file() const { return std::filesystem::path(config_.home) / "join/tokens.json"; }

Status Devices::start() {
  if (!config_.join.is_enabled) {
    return {};
  }
  Result<join::TokenBook> book = join::load(file());
  if (!book) {
    return fail(std::move(book.error()));
  }
  book_ = *std::move(book);
  return {};
}

Status Devices::save() {
  Status saved = join::save(book_, file());
  if (!saved) {
    log_.error("tokens_not_saved", {{"what", saved.error().message}});
  }
  return saved;
}

std::expected<Devices::Seat, Devices::Refusal> Devices::admit(const agent::v1::Hello& hello, std::string_view peer,
                                                              TimePoint now) {
  if (!config_.join.is_enabled || is_closed_) {
    return refused(kCloseRefused, "devices do not join here");
  }
  if (failures_.is_blocked(peer, now)) {
    return refused(kCloseLater, "too many wrong tokens from this address");
  }
  auto seat = let_in(hello);
  if (!seat && seat.error().close_code == kCloseRefused) {
    failures_.add(peer, now);
  }
  return seat;
}

std::expected<Devices::Seat, Devices::Refusal> Devices::let_in(const agent::v1::Hello& hello) {
  if (hello.token().size() > kMaxSecretBytes || hello.device_key().size() > kMaxSecretBytes) {
    return refused(kCloseRefused, "the token is wrong");
  }
  if (hello.protocol() != wire::kAgentProtocol) {
    return refused(kCloseMismatch,
                   fmt::format("protocol {} here, {} in the agent", wire::kAgentProtocol, hello.protocol()));
  }
  if (!config_.agent_build.empty() && hello.build() != config_.agent_build) {
    return refused(kCloseMismatch, "the agent's build is not the one that is served");
  }
  if (devices_.size() >= config_.join.max_devices) {
    return refused(kCloseLater, fmt::format("{} devices are connected, which is all there may be", devices_.size()));
  }
  const std::string new_key = random_hex(kSecretBytes);
  const auto admission = book_.admit(hello.token(), hello.device_key(), new_key, wall_now());
  if (!admission) {
    const bool is_busy = admission.error().code == Code::kOverloaded;
    return refused(is_busy ? kCloseLater : kCloseRefused, admission.error().message);
  }
  if (admission->is_new && !save()) {
    // A one-time token that is not written down as used could be used again.
    book_.left(admission->token, admission->number);
    return refused(kCloseLater, "the server cannot write down who has joined");
  }
  DeviceSpec spec{.name = fmt::format("{}/{}", kDeviceKind, admission->number),
                  .number = admission->number,
                  .backends = admission->backends,
                  .tier = admission->tier,
                  .token = admission->token,
                  .new_key = admission->is_new ? new_key : std::string()};
  std::string name = spec.name;
  auto device = std::make_unique<Device>(std::move(spec), config_,
                                         std::make_shared<const agent::v1::Capabilities>(hello.capabilities()),
                                         listener_, events_, log_);
  Device& added = *device;
  const bool is_added = devices_.emplace(std::move(name), std::move(device)).second;
  SHOAL_CHECK(is_added, "two devices have one number");
  return Seat(*this, added);
}

void Devices::remove(const Device& device) {
  book_.left(device.spec().token, device.spec().number);
  devices_.erase(device.spec().name);
}

void Devices::check(TimePoint now) {
  const WallTime wall = wall_now();
  for (const auto& [name, device] : devices_) {
    book_.count_runs(device->spec().token, device->take_runs());
    const join::TokenState state = book_.state(device->spec().token, wall);
    if (is_over(state)) {
      device->disconnect(kCloseRefused, fmt::format("the token is {}", join::token_state_name(state)), Loss::kRecycled);
    } else {
      device->check(now);
    }
  }
}

void Devices::close() {
  is_closed_ = true;
  for (const auto& [name, device] : devices_) {
    device->disconnect(kCloseGoingAway, "the server stops", Loss::kClosing);
  }
  if (config_.join.is_enabled) {
    static_cast<void>(save());  // the counts of runs
  }
}

Device* Devices::find(std::string_view name) {
  const auto found = devices_.find(name);
  return found == devices_.end() ? nullptr : found->second.get();
}

void Devices::add_views(std::vector<SlotView>& views) const {
  for (const auto& [name, device] : devices_) {
    views.push_back(device->view());
  }
}

Result<Devices::Created> Devices::create_token(join::TokenSpec spec) {
  if (!config_.join.is_enabled) {
    return fail(Code::kUnavailable, "devices do not join here: join.enabled is false");
  }
  std::string secret = random_hex(kSecretBytes);
  const auto token = book_.create(std::move(spec), random_hex(4), secret, wall_now());
  if (!token) {
    return fail(token.error());
  }
  if (Status saved = save(); !saved) {
    static_cast<void>(book_.revoke((*token)->id, wall_now()));
    return fail(std::move(saved.error()));
  }
  return Created{*token, secret, fmt::format("{}#token={}", config_.join.url, secret)};
}

Result<const join::Token*> Devices::revoke_token(std::string_view id) {
  auto token = book_.revoke(id, wall_now());
  if (!token) {
    return token;
  }
  check(Clock::now());
  // Revoked it is in any case; an operator must know when a restart would bring it back.
  if (Status saved = save(); !saved) {
    return fail(std::move(saved.error()));
  }
  return token;
}

Status Devices::quarantine(std::string_view name, const std::string& reason) {
  Device* device = find(name);
  if (device == nullptr) {
    return fail(Code::kNotFound, fmt::format("no device '{}'", name), "slot");
  }
  book_.quarantine(device->spec().token, device->spec().number, reason);
  device->disconnect(kCloseRefused, "in quarantine: " + reason, Loss::kQuarantined);
  return save();
}

}  // namespace shoal::pool
