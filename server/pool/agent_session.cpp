#include "server/pool/agent_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "server/wire/agent_messages.hpp"

namespace shoal::pool {

namespace {

using agent::v1::Envelope;

TimePoint later(TimePoint deadline, Duration grace) {
  return deadline > kNoDeadline - grace ? kNoDeadline : deadline + grace;
}

std::string blob_url(const BlobRef& blob) { return "/agent/blobs/" + blob.sha256; }

Envelope load_message(std::uint64_t work_id, const LoadSpec& spec) {
  Envelope envelope;
  envelope.set_work_id(work_id);
  agent::v1::Load& load = *envelope.mutable_load();
  load.set_instance(spec.instance);
  load.set_backend(std::string(backend_name(spec.backend)));
  load.set_url(blob_url(spec.graph));
  load.set_sha256(spec.graph.sha256);
  load.set_byte_size(spec.graph.byte_size);
  load.mutable_free_dimensions()->insert(spec.free_dimensions.begin(), spec.free_dimensions.end());
  for (const BlobRef& blob : spec.external) {
    agent::v1::Load::External& external = *load.add_external();
    external.set_path(blob.path);
    external.set_url(blob_url(blob));
    external.set_sha256(blob.sha256);
    external.set_byte_size(blob.byte_size);
  }
  load.set_engine(spec.engine);
  load.mutable_plan_limits()->insert(spec.plan_limits.begin(), spec.plan_limits.end());
  return envelope;
}

Envelope run_message(std::uint64_t work_id, const RunSpec& spec) {
  Envelope envelope;
  envelope.set_work_id(work_id);
  agent::v1::Run& run = *envelope.mutable_run();
  run.set_instance(spec.instance);
  for (const Tensor& tensor : *spec.inputs) {
    wire::tensor_to_wire(tensor, *run.add_inputs());
  }
  run.mutable_outputs()->Add(spec.outputs.begin(), spec.outputs.end());
  if (spec.pooling) {
    wire::pooling_to_wire(*spec.pooling, *run.mutable_pooling());
  }
  if (spec.generate) {
    wire::generate_to_wire(*spec.generate, *run.mutable_generate());
  }
  wire::deadline_to_wire(spec.deadline, Clock::now(), run);
  return envelope;
}

constexpr std::size_t kCurveSamples = 600;

}  // namespace

AgentSession::AgentSession(net::WebSocket& socket, boost::asio::any_io_executor executor, const PoolConfig& config,
                           WorkerState state, Log log)
    : socket_(&socket),
      executor_(std::move(executor)),
      config_(config),
      state_(std::move(state)),
      log_(std::move(log)),
      table_(config.max_output_bytes),
      last_message_(Clock::now()),
      alive_(std::make_shared<AgentSession*>(this)) {
  socket_->set_bulk_source([this] { return outbox_.next_frame(); });
}

AgentSession::~AgentSession() {
  *alive_ = nullptr;
  unbind();
}

boost::asio::awaitable<std::string> AgentSession::serve() {
  net::WebSocket& socket = *socket_;
  for (;;) {
    const Result<std::string_view> message = co_await socket.read();
    if (!message) {
      co_return message.error().message;
    }
    if (lost_) {
      co_return *lost_;
    }
    if (!is_on(socket)) {
      co_return "the agent has another connection";
    }
    last_message_ = Clock::now();
    Status handled;
    try {
      handled = handle(*message);
    } catch (const std::exception& error) {
      handled = fail(Code::kInternal, error.what());
    }
    if (!handled && handled.error().code == Code::kUnavailable) {
      close(kCloseNormal, "goodbye");
      co_return handled.error().message;
    }
    if (!handled) {
      log_.warn("agent_protocol_error", {{"what", handled.error().message}});
      close(kCloseProtocol, handled.error().message);
      co_return "broke the protocol: " + handled.error().message;
    }
  }
}

Status AgentSession::handle(std::string_view message) {
  Result<wire::Frame> frame = wire::decode_frame(message);
  if (!frame) {
    return fail(std::move(frame.error()));
  }
  return frame->envelope.has_frames() ? take_frames(frame->payload) : take(*frame);
}

Status AgentSession::take_frames(std::string_view payload) {
  const Result<std::vector<wire::Frame>> frames = wire::frames_within(payload);
  if (!frames) {
    return fail(frames.error());
  }
  const net::WebSocket* socket = socket_;
  for (const wire::Frame& frame : *frames) {
    if (Status taken = take(frame); !taken) {
      return taken;
    }
    // Whoever was told of an answer may have ended the session.
    if (lost_ || socket_ != socket) {
      break;
    }
  }
  return {};
}

Status AgentSession::take(const wire::Frame& frame) {
  const Envelope& envelope = frame.envelope;
  if (is_said_again(envelope)) {
    return {};
  }
  switch (envelope.body_case()) {
    case Envelope::kHeartbeat:
      note_heartbeat(envelope.heartbeat());
      return {};
    case Envelope::kOutput:
      return take_output(frame);
    case Envelope::kChunk:
      return answer(table_.chunk(envelope.work_id(), frame.payload));
    case Envelope::kEnd:
      return answer(table_.end(envelope.work_id(), envelope.end()));
    case Envelope::kError:
      // Refused before all of it was there: the rest is of no use to the agent.
      outbox_.remove(envelope.work_id());
      return answer(table_.error(envelope.work_id(), envelope.error()));
    case Envelope::kDebugReport:
      return take_debug(envelope.work_id(), envelope.debug_report());
    case Envelope::kPausing:
      return take_pause(std::string(wire::cut_text(envelope.pausing().reason(), 512)));
    case Envelope::kResuming:
      return take_pause(std::nullopt);
    case Envelope::kLeaving:
      return fail(Code::kUnavailable,
                  fmt::format("the agent leaves: {}", wire::cut_text(envelope.leaving().reason(), 512)));
    default:
      return fail(Code::kInvalidArgument,
                  fmt::format("a message of kind {} is not an agent's", static_cast<int>(envelope.body_case())));
  }
}

Status AgentSession::answer(Result<WorkTable::Answer> completion) {
  if (!completion) {
    return fail(std::move(completion.error()));
  }
  (*completion)();
  return {};
}

void AgentSession::note_heartbeat(const agent::v1::Heartbeat& beat) {
  Beat last{.arrived = last_message_, .page_age = std::chrono::milliseconds(beat.page_age_ms()), .engine_age = {}};
  for (const auto& [backend, age_ms] : beat.engine_age_ms()) {
    last.engine_age.emplace(backend, std::chrono::milliseconds(age_ms));
  }
  beat_ = std::move(last);
  figures_.wasm_bytes = beat.wasm_bytes();
  figures_.gpu_bytes = beat.gpu_bytes();
  figures_.cache_bytes = beat.cache_bytes();
  if (curve_.size() >= kCurveSamples) {
    curve_.pop_front();
  }
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  curve_.push_back({.unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count(),
                    .pss_bytes = state_.memory_bytes,
                    .wasm_bytes = beat.wasm_bytes(),
                    .gpu_bytes = beat.gpu_bytes(),
                    .cache_bytes = beat.cache_bytes()});
}

std::optional<Error> AgentSession::obstacle() const {
  if (lost_) {
    return Error{Code::kWorkerLost, fmt::format("worker {} was lost: {}", state_.slot, *lost_), {}};
  }
  if (is_paused_) {
    return Error{Code::kDeviceLost, fmt::format("worker {} pauses", state_.slot), {}};
  }
  if (table_.size() >= config_.max_pending_work) {
    return Error{Code::kOverloaded, fmt::format("worker {} has {} items in hand", state_.slot, table_.size()), {}};
  }
  return std::nullopt;
}

bool AgentSession::send_control(const Envelope& envelope) {
  if (socket_ == nullptr || envelope.ByteSizeLong() > wire::kMaxHeaderBytes) {
    return false;
  }
  return socket_->send(wire::encode_frame(envelope)).has_value();
}

std::uint64_t AgentSession::load(LoadSpec spec, std::function<void(Result<LoadOutcome>)> done) {
  const std::uint64_t work_id = next_work_id_++;
  if (std::optional<Error> error = obstacle()) {
    refuse(std::move(done), *std::move(error));
    return work_id;
  }
  Envelope envelope = load_message(work_id, spec);
  if (socket_ != nullptr && !send_control(envelope)) {
    refuse(std::move(done), Error{Code::kOverloaded, fmt::format("worker {} takes no load now", state_.slot), {}});
    return work_id;
  }
  const std::string backend(backend_name(spec.backend));
  backend_of_[spec.instance] = backend;
  table_.add_load(work_id, backend, Clock::now() + config_.load_timeout, std::move(done));
  table_.keep(work_id, {.envelope = std::move(envelope)});
  return work_id;
}

std::uint64_t AgentSession::run(RunSpec spec, std::function<void(Result<RunOutcome>)> done) {
  const std::uint64_t work_id = next_work_id_++;
  if (std::optional<Error> error = obstacle()) {
    refuse(std::move(done), *std::move(error));
    return work_id;
  }
  if (outbox_.waiting_bytes() + total_bytes(*spec.inputs) > config_.max_pending_bytes) {
    refuse(std::move(done),
           Error{Code::kOverloaded,
                 fmt::format("worker {} has {} bytes of inputs waiting", state_.slot, outbox_.waiting_bytes()),
                 {}});
    return work_id;
  }
  Envelope envelope = run_message(work_id, spec);
  if (envelope.ByteSizeLong() > wire::kMaxHeaderBytes) {
    refuse(std::move(done), Error{Code::kInvalidArgument, "the names and shapes of the inputs are too long", {}});
    return work_id;
  }
  const auto instance = backend_of_.find(spec.instance);
  const std::string backend = instance == backend_of_.end() ? std::string() : instance->second;
  // Masks come by this connection and must not overtake their run.
  const bool is_masked = spec.generate && spec.generate->is_masked;
  const bool is_sent = !is_masked && send_to_engine(backend, envelope, spec.inputs);
  table_.add_run(work_id, backend, later(spec.deadline, config_.run_grace), std::move(done));
  ++figures_.runs;
  table_.keep(work_id, {.envelope = envelope, .inputs = spec.inputs, .deadline = spec.deadline});
  if (spec.partial) {
    stream(work_id, std::move(spec.partial));
  }
  if (socket_ != nullptr && !is_sent) {
    outbox_.add(std::move(envelope), std::move(spec.inputs));
    socket_->wake();
  }
  return work_id;
}

void AgentSession::unload(const std::string& instance) {
  if (lost_) {
    return;
  }
  const std::uint64_t work_id = next_work_id_++;
  Envelope envelope;
  envelope.set_work_id(work_id);
  envelope.mutable_unload()->set_instance(instance);
  if (socket_ == nullptr || send_control(envelope)) {
    table_.add_unload(work_id, Clock::now() + config_.load_timeout);
    table_.keep(work_id, {.envelope = std::move(envelope)});
    backend_of_.erase(instance);
  }
}

void AgentSession::cancel(std::uint64_t work_id) {
  if (lost_ || !table_.contains(work_id)) {
    return;
  }
  if (outbox_.remove(work_id) == Outbox::Removed::kUnsent) {
    boost::asio::post(executor_, table_.fail_one(work_id, Error{Code::kCancelled, "cancelled before it was sent", {}}));
    return;
  }
  table_.cancelled(work_id);
  Envelope envelope;
  envelope.set_work_id(work_id);
  envelope.mutable_cancel();
  send_control(envelope);
}

void AgentSession::lose(const std::string& reason) {
  lost_ = reason;
  drop_engines();
  const Error error{Code::kWorkerLost, fmt::format("worker {} was lost: {}", state_.slot, reason), {}};
  for (const WorkTable::Answer& answer_with_error : table_.fail_all(error)) {
    answer_with_error();
  }
  for (auto& [work_id, debug] : std::exchange(debugs_, {})) {
    debug.done(fail(error));
  }
}

std::optional<std::string> AgentSession::verdict(TimePoint now) const {
  if (is_paused_) {
    // A frozen page says nothing; neither does one that has gone without a word.
    return now - last_message_ <= config_.join.pause_silence ? std::nullopt
                                                             : std::optional<std::string>("paused, and silent since");
  }
  if (socket_ == nullptr) {
    return std::nullopt;
  }
  if (socket_->is_stalled(now)) {
    return "hung: it does not read what it is sent";
  }
  const LivenessLimits limits{.link_silence = config_.link_silence,
                              .page_silence = config_.page_silence,
                              .engine_silence = config_.engine_silence};
  return liveness_verdict(limits, last_message_, beat_, table_.in_hand(), now);
}

void AgentSession::close(std::uint16_t code, const std::string& reason) {
  if (socket_ != nullptr) {
    socket_->close(code, reason);
  }
}

void AgentSession::add_to(SlotView& view) const {
  const Figures now = figures();
  view.worker = state_;
  view.last_message = now.last_message;
  view.pending_work = now.pending_work;
  view.wasm_bytes = now.wasm_bytes;
  view.gpu_bytes = now.gpu_bytes;
  view.cache_bytes = now.cache_bytes;
}

AgentSession::Figures AgentSession::figures() const {
  Figures figures = figures_;
  figures.last_message = last_message_;
  figures.pending_work = table_.size();
  return figures;
}

}  // namespace shoal::pool
