#include "engine/graph/op.hpp"

#include <array>

namespace shoal::graph {
namespace {

struct OpRow {
  std::string_view name;
  OperandCounts operands;
};
// In the order of Attributes.
constexpr std::array<OpRow, std::variant_size_v<Attributes>> kOps = {{
    {"embedding", {2, 3}},
    {"linear", {2, 4}},
    {"layer_norm", {2, 3}},
    {"rms_norm", {2, 2}},
    {"rope_angles", {2, 2}},
    {"rope", {2, 2}},
    {"kv_append", {7, 7}},
    {"attention", {4, 7}},
    {"activate", {1, 1}},
    {"gate", {1, 1}},
    {"add", {2, 2}},
    {"pool", {2, 2}},
    {"gather", {2, 2}},
    {"l2_normalize", {1, 1}},
}};

}  // namespace

OperandCounts operand_counts(const Attributes& attributes) { return kOps[attributes.index()].operands; }
std::string_view op_name(const Attributes& attributes) { return kOps[attributes.index()].name; }

}  // namespace shoal::graph
