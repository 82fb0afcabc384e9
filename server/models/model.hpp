// What the server knows about its models: immutable values, shared by shared_ptr<const>, readable from any thread.
// A model that could not be read is here too, as kUnavailable with the reason: one bad file never hides the others.
// Made by Repository (repository.hpp); requests are checked against it by validate (validate.hpp).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/archs/model.hpp"
#include "engine/core/result.hpp"
#include "server/core/backend.hpp"
#include "server/core/clock.hpp"
#include "server/core/echo.hpp"
#include "server/core/family.hpp"
#include "server/core/pooling.hpp"
#include "server/core/tensor.hpp"
#include "server/core/tier.hpp"

namespace inference {
class ModelConfig;  // inference/model_config.pb.h
}
namespace shoal::text {
class ChatTemplate;
class Grammars;
class Tokenizer;
}  // namespace shoal::text

namespace shoal::models {

struct WarmSamples;  // server/models/warm_samples.hpp

struct TensorSignature {
  std::string name;
  DataType datatype = DataType::kFp32;
  Shape dims;                          // as in the graph, the batch dimension included; -1 = any
  std::vector<std::string> dim_names;  // one per dimension: its symbol in the graph, empty where fixed or anonymous
  bool has_rank = true;                // false: the graph does not say; dims is then [-1] and is not checked
  bool is_optional = false;            // of an input: a request may leave it out
};

// A file, named by its contents.
struct Blob {
  std::string sha256;  // 64 lower-case hex digits
  std::filesystem::path path;
  std::uint64_t size = 0;
};

// A file that the graph names as the home of some of its weights.
struct ExternalBlob {
  std::string location;  // as the graph writes it, relative to the graph's folder
  Blob blob;
};

// How this model turns text into a vector: what /v1/embeddings needs beside the graph.
struct EmbeddingConfig {
  std::shared_ptr<const text::Tokenizer> tokenizer;
  std::uint32_t max_tokens = 0;  // special tokens included
  std::uint32_t pad_id = 0;
  Pooling pooling{};
  // Of a model that pools itself: the output that is the vector; `pooling` says nothing then.
  std::string pooled_output{};
  std::uint32_t width = 0;
};

// How this model continues a prompt: what generation needs beside the plan.
struct GenerationConfig {
  archs::ModelClass model_class = archs::ModelClass::kDecoder;  // or an encoder-decoder
  std::shared_ptr<const text::Tokenizer> tokenizer;             // null: prompts and answers are token ids
  std::shared_ptr<const text::ChatTemplate> chat_template;      // null: it takes no messages
  std::string no_chat_reason;                                   // why there is none
  std::shared_ptr<const text::Grammars> grammars = {};          // null without a tokenizer
  std::uint32_t vocabulary = 0;
  std::uint32_t context = 0;  // tokens of prompt and answer together; of an encoder-decoder of each
  std::vector<std::uint32_t> stop_ids;
  std::int32_t decoder_start = 0;  // of an encoder-decoder
  std::uint32_t parallel = 1;      // answers that a browser makes at once
};

// Of a package: what the plan engine is told beside its files.
struct PlanConfig {
  std::string variant;
  std::uint32_t bits = 0;
  std::map<std::string, std::uint64_t> limits;  // largest extents of a step and of the state, by the symbol's letter
};

// Allowed sizes of symbolic dimensions where a backend needs static shapes, ascending: {"sequence_length": {32, 128}}.
using Buckets = std::map<std::string, std::vector<std::int64_t>>;

// Of the requests of one model and priority level that wait.
struct QueuePolicy {
  bool delays = false;               // a request whose time is over waits behind all others; else it is refused
  Duration default_timeout{};        // in the queue; 0 = none
  std::uint32_t max_queue_size = 0;  // 0 = the server's limit alone
};

// Of a stateful model: its requests name the sequence that they belong to (dispatch/sequences.hpp).
struct SequenceConfig {
  Duration idle = std::chrono::seconds(1);  // without a request; then the sequence is over
  std::size_t max_live = 1;                 // at once; more are refused
};

// How the requests of one model wait, and how they are joined into one run.
struct SchedulingConfig {
  std::int64_t max_rows = 1;                  // that requests are joined up to; 1 = they are not
  std::vector<std::uint32_t> preferred_rows;  // ascending
  Duration max_delay{};                       // for which a request is kept back for others to join it
  bool is_configured = false;                 // by dynamic_batching; else Shoal's own choice
  std::uint32_t priority_levels = 3;          // 1 is served first
  std::uint32_t default_priority = 2;
  QueuePolicy default_policy;
  std::map<std::uint32_t, QueuePolicy> policies;  // by level; the others have default_policy
  std::optional<SequenceConfig> sequences;
};

// Where the graphs of one model stay.
struct ResidencyConfig {
  bool is_pinned = false;          // nothing makes them go from a worker but the model's end
  std::uint32_t min_resident = 0;  // workers that have the default graph and keep it
  std::uint32_t max_workers = 0;   // that serve the model: the sum of instance_group's counts; 0 = any number
};

enum class ModelState : std::uint8_t { kReady, kUnavailable };

struct ModelVersion {
  std::string name;
  std::int64_t version = 0;             // from 1 on; 0 = the model's folder holds no version to serve
  std::string platform;                 // "onnxruntime_onnx" "shoal_plan" "shoal_echo"
  std::vector<TensorSignature> inputs;  // those a request may give: without the graph's initialisers
  std::vector<TensorSignature> outputs;
  // > 0: every input and output starts with a batch dimension, requests may be joined along it up to this many rows.
  // 0: shapes are taken as they are.
  std::int64_t max_batch_size = 0;
  bool is_decoupled = false;           // a request has any number of responses, also none
  Blob graph;                          // or the plan
  std::vector<ExternalBlob> external;  // of a plan its shards, in its order
  std::optional<PlanConfig> plan;      // of a package
  std::vector<Backend> backends;       // preference, default first; only these are offered
  bool has_own_order = false;          // the configuration says so; else the order is a guess (schedule/prior.hpp)
  std::optional<Family> family;        // by the configuration, else by the inputs where they leave no doubt
  Buckets webnn_buckets;
  SchedulingConfig scheduling;
  std::shared_ptr<const WarmSamples> warm_samples;  // null: there are none
  // Of metric_tags: labels of its metrics beside those of all models, their names with a '_' before them.
  std::vector<std::pair<std::string, std::string>> metric_tags;
  ResidencyConfig residency;
  std::uint64_t max_queue_bytes = 0;  // of inputs that wait; 0 = the server's limit alone
  // The least tier of workers that may see its requests, and its weights: nothing below, whatever the request says.
  // Unset: trusted ones, unless a request says that others will do.
  std::optional<Tier> min_trust;
  std::optional<Echo> echo;  // it has no graph then; graph.sha256 is that of its configuration
  std::optional<GenerationConfig> generation;
  std::optional<EmbeddingConfig> embedding;
  std::string no_embedding_reason;                                      // why there is none
  std::map<std::string, std::vector<std::string>, std::less<>> labels;  // of an output's classes, by index
  std::shared_ptr<const inference::ModelConfig>
      config;  // completed: inputs, outputs, max_batch_size. Null if unreadable.
  ModelState state = ModelState::kUnavailable;
  Error load_error;  // why it is kUnavailable

  [[nodiscard]] bool is_ready() const { return state == ModelState::kReady; }
  [[nodiscard]] const TensorSignature* input(std::string_view tensor) const;   // nullptr: no such input
  [[nodiscard]] const TensorSignature* output(std::string_view tensor) const;  // nullptr: no such output
};

using ModelPtr = std::shared_ptr<const ModelVersion>;

// One view of the whole repository; a rescan makes another.
struct Snapshot {
  bool is_read = true;  // false before the first scan: nothing can be said of any model yet
  std::map<std::string, std::map<std::int64_t, ModelPtr>, std::less<>> models;
  std::map<std::string, Blob, std::less<>> blobs;  // by sha256: what browsers may fetch, nothing else

  // A READY version: the one asked for, else the highest. kNotFound or kUnavailable in Triton's words.
  [[nodiscard]] Result<ModelPtr> find(std::string_view name, std::optional<std::int64_t> version = {}) const;
  // As above with the protocol's version string: empty = none; kInvalidArgument unless it is a number > 0.
  [[nodiscard]] Result<ModelPtr> find(std::string_view name, std::string_view version) const;
  [[nodiscard]] const Blob* blob(std::string_view sha256) const;  // nullptr: not one of ours
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// Triton's rule for version strings: empty = none, else a decimal number > 0.
Result<std::optional<std::int64_t>> parse_version(std::string_view text);

// Model names come from folders and go into URLs and metric labels: 1 to 128 bytes, no '/', '\', control character, not
// "." or "..", no leading '.'.
Status check_model_name(std::string_view name);

}  // namespace shoal::models
