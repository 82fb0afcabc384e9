#include "engine/import/safetensors.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "engine/core/f16.hpp"
#include "engine/import/safetensors_header.hpp"

namespace shoal::import {
namespace {

struct ElementRow {
  std::string_view name;
  std::size_t size;
};
constexpr std::array<ElementRow, 15> kElements = {{
    {"BOOL", 1},
    {"U8", 1},
    {"I8", 1},
    {"F8_E4M3", 1},
    {"F8_E5M2", 1},
    {"U16", 2},
    {"I16", 2},
    {"F16", 2},
    {"BF16", 2},
    {"U32", 4},
    {"I32", 4},
    {"F32", 4},
    {"U64", 8},
    {"I64", 8},
    {"F64", 8},
}};

std::unexpected<Error> bad(std::string message) {
  return fail(Code::kInvalidArgument, "safetensors: " + std::move(message));
}

std::optional<ElementType> element_from(std::string_view name) {
  for (std::size_t index = 0; index < kElements.size(); ++index) {
    if (kElements[index].name == name) {
      return static_cast<ElementType>(index);
    }
  }
  return std::nullopt;
}

// Size in bytes of the tensor, or nothing when it does not fit into 64 bits.
std::optional<std::uint64_t> byte_size(const HeaderEntry& entry, ElementType type) {
  std::uint64_t size = element_size(type);
  for (const std::uint64_t dim : entry.shape) {
    if (__builtin_mul_overflow(size, dim, &size)) {
      return std::nullopt;
    }
  }
  return size;
}

Status add_tensor(const std::string& name, const HeaderEntry& entry, Bytes data, Safetensors& out) {
  const auto type = element_from(entry.dtype);
  if (!type) {
    return bad("tensor '" + name + "' has the unknown dtype '" + entry.dtype + "'");
  }
  if (entry.begin > entry.end) {
    return bad("tensor '" + name + "' ends before it begins");
  }
  const auto view = slice(data, entry.begin, entry.end - entry.begin);
  if (!view) {
    return bad("tensor '" + name + "' lies outside the file: bytes " + std::to_string(entry.begin) + " to " +
               std::to_string(entry.end) + " of " + std::to_string(data.size()));
  }
  const auto expected = byte_size(entry, *type);
  if (!expected || *expected != view->size()) {
    return bad("tensor '" + name + "' has " + std::to_string(view->size()) + " bytes, its shape and dtype say " +
               (expected ? std::to_string(*expected) : std::string("more than 2^64")));
  }
  out.tensors.emplace(name, TensorView{.type = *type, .shape = entry.shape, .data = *view});
  return {};
}

// The format forbids overlap and holes; this is what makes one file have one meaning.
Status check_cover(const std::map<std::string, HeaderEntry, std::less<>>& entries, std::uint64_t data_size) {
  std::vector<std::pair<const HeaderEntry*, std::string_view>> order;
  order.reserve(entries.size());
  for (const auto& [name, entry] : entries) {
    order.emplace_back(&entry, name);
  }
  std::sort(order.begin(), order.end(), [](const auto& left, const auto& right) {
    return std::pair(left.first->begin, left.first->end) < std::pair(right.first->begin, right.first->end);
  });
  std::uint64_t covered = 0;
  for (const auto& [entry, name] : order) {
    if (entry->begin != covered) {
      return bad("tensor '" + std::string(name) + "' begins at byte " + std::to_string(entry->begin) +
                 (entry->begin < covered ? " and overlaps another that ends at " : " and leaves a hole after ") +
                 std::to_string(covered));
    }
    covered = entry->end;
  }
  if (covered != data_size) {
    return bad("the tensors end at byte " + std::to_string(covered) + " of " + std::to_string(data_size));
  }
  return {};
}

}  // namespace

std::string_view element_name(ElementType type) { return kElements[static_cast<std::size_t>(type)].name; }
std::size_t element_size(ElementType type) { return kElements[static_cast<std::size_t>(type)].size; }

Result<const TensorView*> Safetensors::find(std::string_view name) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    return fail(Code::kNotFound, "safetensors: there is no tensor '" + std::string(name) + "'");
  }
  return &found->second;
}

Result<Safetensors> parse_safetensors(Bytes file) {
  const auto header_size = load_le<std::uint64_t>(file, 0);
  if (!header_size) {
    return bad("the file has " + std::to_string(file.size()) + " bytes, a header size takes 8");
  }
  if (*header_size > kMaxSafetensorsHeader) {
    return bad("the header has " + std::to_string(*header_size) + " bytes, the limit is " +
               std::to_string(kMaxSafetensorsHeader));
  }
  const auto header = slice(file, sizeof(std::uint64_t), *header_size);
  if (!header) {
    return bad("the header has " + std::to_string(*header_size) + " bytes, the file is cut before its end");
  }
  auto parsed = parse_safetensors_header(as_text(*header));
  if (!parsed) {
    return fail(std::move(parsed.error()));
  }
  const Bytes data = file.subspan(sizeof(std::uint64_t) + static_cast<std::size_t>(*header_size));
  Safetensors out;
  out.metadata = std::move(parsed->metadata);
  for (const auto& [name, entry] : parsed->entries) {
    if (auto added = add_tensor(name, entry, data, out); !added) {
      return fail(std::move(added.error()));
    }
  }
  if (auto covered = check_cover(parsed->entries, data.size()); !covered) {
    return fail(std::move(covered.error()));
  }
  return out;
}

bool is_float(ElementType type) {
  return type == ElementType::kF32 || type == ElementType::kF16 || type == ElementType::kBf16;
}

void read_floats(const TensorView& tensor, std::size_t first, std::size_t stride, std::span<float> out) {
  const bool is_f32 = tensor.type == ElementType::kF32;
  const std::size_t size = element_size(tensor.type);
  if (is_f32 && stride == 1) {
    if (!out.empty()) {  // memcpy from a null view is undefined even for no bytes
      std::memcpy(out.data(), tensor.data.data() + first * size, out.size_bytes());
    }
    return;
  }
  for (std::size_t index = 0; index < out.size(); ++index) {
    const std::byte* at = tensor.data.data() + (first + index * stride) * size;
    if (is_f32) {
      std::memcpy(&out[index], at, sizeof(float));
      continue;
    }
    std::uint16_t bits;
    std::memcpy(&bits, at, sizeof(bits));
    out[index] = tensor.type == ElementType::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
  }
}

Result<std::vector<float>> to_floats(const TensorView& tensor) {
  if (!is_float(tensor.type)) {
    return bad("a tensor of " + std::string(element_name(tensor.type)) + " where F32, F16 or BF16 is needed");
  }
  std::vector<float> out(tensor.data.size() / element_size(tensor.type));
  read_floats(tensor, 0, 1, out);
  return out;
}

}  // namespace shoal::import
