// The work that one agent has accepted and not answered: outputs are put together here from their frames, and each
// completion is handed out exactly once. Pure: the caller calls what it is handed. An error is a breach of the protocol
// by the agent (unknown work, too many bytes, an end in the middle of an output): the connection must end.
#pragma once

#include <shoal/agent/v1/agent.pb.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/clock.hpp"
#include "server/pool/liveness.hpp"
#include "server/pool/partial_outputs.hpp"
#include "server/pool/worker.hpp"

namespace shoal::pool {

class WorkTable {
 public:
  using Loaded = std::function<void(Result<LoadOutcome>)>;
  using Ran = std::function<void(Result<RunOutcome>)>;
  using Answer = std::function<void()>;  // a completion with its result bound

  explicit WorkTable(std::size_t max_output_bytes) : max_output_bytes_(max_output_bytes) {}

  void add_load(std::uint64_t work_id, std::string backend, TimePoint answer_by, Loaded done);
  void add_run(std::uint64_t work_id, std::string backend, TimePoint answer_by, Ran done);
  // Of one in hand that generates: each Output is for its reader. `more` is what the reader is given to ask for the
  // next one; it has to end in go_on().
  void stream(std::uint64_t work_id, Partial partial, std::function<void()> more);
  // The reader has asked for more: what came meanwhile, or nothing to call.
  Answer go_on(std::uint64_t work_id);
  void add_unload(std::uint64_t work_id, TimePoint answer_by);

  // Frames of the agent.
  Result<Answer> output(std::uint64_t work_id, const agent::v1::Output& message, std::string_view payload);
  Result<Answer> chunk(std::uint64_t work_id, std::string_view payload);
  Result<Answer> end(std::uint64_t work_id, const agent::v1::End& message);
  Result<Answer> error(std::uint64_t work_id, const agent::v1::Error& message);

  // What the agent was asked, kept until it has answered: on another connection it may have to be asked again.
  struct Request {
    agent::v1::Envelope envelope;
    std::shared_ptr<const std::vector<Tensor>> inputs = {};  // of a run
    std::optional<agent::v1::Envelope> mask = {};            // of a masked run, the last one
    TimePoint deadline = kNoDeadline;                        // of a run
    bool is_cancelled = false;
  };
  void keep(std::uint64_t work_id, Request request);
  void keep_mask(std::uint64_t work_id, agent::v1::Envelope mask);
  void cancelled(std::uint64_t work_id);
  // Another connection: half of an output is none. The requests of all that is in hand, in their order.
  std::vector<const Request*> restart();

  // Takes the work out with an error of ours; nothing to call when it is not there.
  Answer fail_one(std::uint64_t work_id, Error error);
  std::vector<Answer> fail_all(const Error& error);
  // Answers the runs, which stay in hand until the agent answers them too: what it says is dropped.
  struct GivenUp {
    std::vector<std::uint64_t> work_ids;
    std::vector<Answer> answers;
  };
  GivenUp give_up_runs(const Error& error);
  // The same of one run in hand.
  Answer give_up(std::uint64_t work_id, Error error);

  [[nodiscard]] std::vector<WorkInHand> in_hand() const;
  // Whether anything is in hand that this backend's engine may be busy with.
  [[nodiscard]] bool holds_any(const std::string& backend) const;
  [[nodiscard]] bool contains(std::uint64_t work_id) const { return items_.contains(work_id); }
  [[nodiscard]] std::size_t size() const { return items_.size(); }

 private:
  struct Item {
    std::string backend = {};
    TimePoint answer_by = kNoDeadline;
    Request request = {};
    Loaded loaded = {};
    Ran ran = {};  // neither: an unload
    bool is_given_up = false;
    std::vector<Tensor> outputs = {};
    std::vector<std::uint64_t> byte_sizes = {};  // of outputs
    std::size_t filling = 0;                     // the first output that is not complete
    std::uint64_t declared_bytes = 0;
    // Of a run that generates.
    Partial partial = {};
    std::function<void()> more = {};
    PartialOutputs parts = {};
    bool is_held = false;  // its reader has a part and has not asked for the next
  };
  static Answer failed(Item item, Error error);
  Result<Item*> running(std::uint64_t work_id);
  Result<Answer> fill(std::uint64_t work_id, Item& item, std::string_view payload);
  // What its reader is told now.
  static Answer give(Item& item);

  std::size_t max_output_bytes_;
  std::map<std::uint64_t, Item> items_;
};

}  // namespace shoal::pool
