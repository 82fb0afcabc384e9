// Between the agent protocol's messages and the server's own types. Pure. What comes from a browser is not trusted:
// every number is checked before it is used.
#pragma once

#include <shoal/agent/v1/agent.pb.h>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/backend.hpp"
#include "server/core/clock.hpp"
#include "server/core/generation.hpp"
#include "server/core/pooling.hpp"
#include "server/core/tensor.hpp"

namespace shoal::wire {

// Everything but the data; byte_size says how much of it follows.
void tensor_to_wire(const Tensor& tensor, agent::v1::Tensor& out);
// A tensor with empty data and the number of bytes that belong to it. kInvalidArgument when the datatype is unknown,
// the shape overflows, or byte_size is not what datatype and shape say (BYTES: any).
struct TensorHeader {
  Tensor tensor;
  std::uint64_t byte_size = 0;
};
Result<TensorHeader> tensor_from_wire(const agent::v1::Tensor& message);

void pooling_to_wire(const Pooling& pooling, agent::v1::Pooling& out);
void generate_to_wire(const GenerateOptions& options, agent::v1::Generate& out);
// The time that is left of the deadline; none of kNoDeadline.
void deadline_to_wire(TimePoint deadline, TimePoint now, agent::v1::Run& out);

// At most `limit` bytes of UTF-8 text, cut between characters: it goes on to JSON and gRPC, which refuse bad UTF-8.
std::string_view cut_text(std::string_view text, std::size_t limit);

// The agent's error as ours; a code that is not on the list is kInternal. The browser's own text is kept after the
// message, bounded.
Error error_from_wire(const agent::v1::Error& message);

// What a browser can run, out of what it is allowed to.
struct BackendProbe {
  std::vector<Backend> usable;
  std::map<Backend, std::string> why_not;
  std::string adapter;  // of webgpu: "software" or "hardware"; empty without it
};
BackendProbe probe_backends(const agent::v1::Capabilities& capabilities, std::span<const Backend> allowed);

}  // namespace shoal::wire
