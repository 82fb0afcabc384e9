#include <cstring>
#include <string>

#include "engine/graph/plan_file.hpp"
#include "engine/graph/verify.hpp"
#include "plan_generated.h"

namespace shoal::graph {
namespace {

// Turns the checked buffer into a plan. A number that is no value of its enum is remembered, and the plan refused.
class Reader {
 public:
  [[nodiscard]] bool is_bad() const { return is_bad_; }

  Plan plan(const file::Plan& from) {
    Plan out;
    out.architecture = text(from.architecture());
    each(from.tensors(), [&](const file::Tensor& one) { out.tensors.push_back(tensor(one)); });
    each(from.signatures(), [&](const file::Signature& one) { out.signatures.push_back(signature(one)); });
    each(from.shards(), [&](const file::Shard& one) { out.shards.push_back({text(one.sha256()), one.bytes()}); });
    return out;
  }

 private:
  static std::string text(const flatbuffers::String* from) { return from == nullptr ? std::string() : from->str(); }

  template <class Vector, class Body>
  void each(const Vector* vector, Body&& body) {
    if (vector != nullptr) {
      for (const auto* one : *vector) {
        body(*one);
      }
    }
  }

  static std::vector<TensorId> ids(const flatbuffers::Vector<std::uint32_t>* from) {
    return from == nullptr ? std::vector<TensorId>() : std::vector<TensorId>(from->begin(), from->end());
  }

  template <class Enum>
  Enum value(std::uint8_t number, Enum last) {
    if (number > static_cast<std::uint8_t>(last)) {
      is_bad_ = true;
      return Enum{};
    }
    return static_cast<Enum>(number);
  }

  Activation activation(std::uint8_t number) {
    return value(number, static_cast<Activation>(kernels::kActivationCount - 1));
  }

  Dim dim(const file::Dim& from) { return {value(from.symbol(), static_cast<Symbol>(kSymbolCount - 1)), from.size()}; }

  Tensor tensor(const file::Tensor& from) {
    Tensor out{.name = text(from.name()),
               .kind = value(from.kind(), TensorKind::kValue),
               .element = value(from.element(), Element::kI32),
               .view_of = from.view_of(),
               .view_column = from.view_column(),
               .buffer = from.buffer(),
               .shard = from.shard(),
               .offset = from.offset()};
    each(from.shape(), [&](const file::Dim& one) { out.shape.push_back(dim(one)); });
    if (const file::Format* format = from.format(); format != nullptr) {
      out.format = {.codes = value(format->codes(), formats::Codes::kQ2),
                    .scheme = value(format->scheme(), formats::Scheme::kAsymmetric),
                    .scales = value(format->scales(), formats::ScaleEncoding::kF16),
                    .block = format->block()};
    }
    return out;
  }

  Attributes attributes(const file::Op& from) {
    if (from.attributes() == nullptr) {  // a kind without its table
      is_bad_ = true;
      return Add{};
    }
    switch (from.attributes_type()) {
      case file::Attributes_Embedding: {
        const auto& op = *from.attributes_as_Embedding();
        return Embedding{.scale = op.scale(), .offset = op.offset()};
      }
      case file::Attributes_Linear:
        return Linear{.activation = activation(from.attributes_as_Linear()->activation())};
      case file::Attributes_LayerNorm: {
        const auto& op = *from.attributes_as_LayerNorm();
        return LayerNorm{.epsilon = op.epsilon(), .width = op.width()};
      }
      case file::Attributes_RmsNorm: {
        const auto& op = *from.attributes_as_RmsNorm();
        return RmsNorm{.epsilon = op.epsilon(), .width = op.width()};
      }
      case file::Attributes_RopeAngles:
        return RopeAngles{};
      case file::Attributes_Rope:
        return Rope{.head_dim = from.attributes_as_Rope()->head_dim()};
      case file::Attributes_KvAppend:
        return KvAppend{};
      case file::Attributes_Attention:
        return attention(*from.attributes_as_Attention());
      case file::Attributes_Activate:
        return Activate{.activation = activation(from.attributes_as_Activate()->activation())};
      case file::Attributes_Gate:
        return Gate{.activation = activation(from.attributes_as_Gate()->activation())};
      case file::Attributes_Add:
        return Add{};
      case file::Attributes_Pool:
        return Pool{.pooling = value(from.attributes_as_Pool()->pooling(), Pooling::kLast)};
      case file::Attributes_Gather:
        return Gather{};
      case file::Attributes_L2Normalize:
        return L2Normalize{};
      default:
        is_bad_ = true;
        return Add{};
    }
  }

  Attention attention(const file::Attention& from) {
    return {.heads = from.heads(),
            .kv_heads = from.kv_heads(),
            .head_dim = from.head_dim(),
            .scale = from.scale(),
            .mask = value(from.mask(), AttentionMask::kCausal),
            .window = from.window(),
            .bias = value(from.bias(), AttentionBias::kRelative),
            .max_distance = from.max_distance()};
  }

  Signature signature(const file::Signature& from) {
    Signature out;
    out.name = text(from.name());
    out.inputs = ids(from.inputs());
    each(from.ops(), [&](const file::Op& one) {
      out.ops.push_back({.attributes = attributes(one), .inputs = ids(one.inputs()), .output = one.output()});
    });
    each(from.layers(),
         [&](const file::Layer& one) { out.layers.push_back({text(one.name()), one.first_op(), one.op_count()}); });
    each(from.outputs(), [&](const file::Output& one) { out.outputs.push_back({text(one.name()), one.tensor()}); });
    each(from.buffers(), [&](const file::Buffer& one) { out.buffers.push_back({dim(one.rows()), one.columns()}); });
    return out;
  }

  bool is_bad_ = false;
};

constexpr flatbuffers::uoffset_t kMaxDepth = 8;
constexpr flatbuffers::uoffset_t kMaxTables = 4U << 20;

}  // namespace

Result<Plan> read_plan(Bytes file) {
  const auto bad = [](std::string_view what) { return fail(Code::kInvalidArgument, "plan: " + std::string(what)); };
  if (file.size() > kMaxPlanBytes) {
    return bad("it has more than " + std::to_string(kMaxPlanBytes) + " bytes");
  }
  // A FlatBuffer is read in place, and its numbers lie on multiples of their size.
  std::vector<std::uint64_t> aligned(file.size() / sizeof(std::uint64_t) + 1);
  if (!file.empty()) {
    std::memcpy(aligned.data(), file.data(), file.size());
  }
  const auto* data = reinterpret_cast<const std::uint8_t*>(aligned.data());
  flatbuffers::Verifier verifier(data, file.size(), kMaxDepth, kMaxTables);
  if (file.size() < 2 * sizeof(std::uint32_t) || !file::VerifyPlanBuffer(verifier)) {
    return bad("the bytes are no plan, or cut");
  }
  const file::Plan& from = *file::GetPlan(data);
  if (from.version() != kPlanVersion) {
    return bad("version " + std::to_string(from.version()) + ", this build reads " + std::to_string(kPlanVersion));
  }
  Reader reader;
  Plan plan = reader.plan(from);
  if (reader.is_bad()) {
    return bad("it names an operation or a kind that this build does not know");
  }
  if (auto fits = verify(plan); !fits) {
    return fail(std::move(fits.error()).with("plan"));
  }
  return plan;
}

}  // namespace shoal::graph
