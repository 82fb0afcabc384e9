#include "engine/import/gguf/gguf.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace shoal::import {
namespace {

constexpr std::array kTypes = {
    GgufType{GgufCode::kF32, "F32", 1, 4},      GgufType{GgufCode::kF16, "F16", 1, 2},
    GgufType{GgufCode::kBf16, "BF16", 1, 2},    GgufType{GgufCode::kF64, "F64", 1, 8},
    GgufType{GgufCode::kI8, "I8", 1, 1},        GgufType{GgufCode::kI16, "I16", 1, 2},
    GgufType{GgufCode::kI32, "I32", 1, 4},      GgufType{GgufCode::kI64, "I64", 1, 8},
    GgufType{GgufCode::kQ4_0, "Q4_0", 32, 18},  GgufType{GgufCode::kQ4_1, "Q4_1", 32, 20},
    GgufType{GgufCode::kQ5_0, "Q5_0", 32, 22},  GgufType{GgufCode::kQ5_1, "Q5_1", 32, 24},
    GgufType{GgufCode::kQ8_0, "Q8_0", 32, 34},  GgufType{GgufCode::kQ8_1, "Q8_1", 32, 36},
    GgufType{GgufCode::kQ2K, "Q2_K", 256, 84},  GgufType{GgufCode::kQ3K, "Q3_K", 256, 110},
    GgufType{GgufCode::kQ4K, "Q4_K", 256, 144}, GgufType{GgufCode::kQ5K, "Q5_K", 256, 176},
    GgufType{GgufCode::kQ6K, "Q6_K", 256, 210}, GgufType{GgufCode::kQ8K, "Q8_K", 256, 292},
};

enum class ValueType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

constexpr std::array<std::uint8_t, 13> kLeastBytes = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

// Reads on from `at`; after the first thing that does not fit, `is_short` stays set and everything else is empty.
struct Cursor {
  Bytes bytes;
  std::uint64_t at = 0;
  bool is_short = false;

  template <class T>
  T number() {
    const auto value = load_le<T>(bytes, static_cast<std::size_t>(at));
    is_short = is_short || !value;
    at += sizeof(T);
    return is_short ? T{} : *value;
  }

  std::string string() {
    const auto length = number<std::uint64_t>();
    const auto text = slice(bytes, at, length);
    is_short = is_short || !text;
    if (is_short) {
      return {};
    }
    at += length;
    return std::string(as_text(*text));
  }

  [[nodiscard]] bool holds(std::uint64_t count, std::uint64_t size) const {
    return at <= bytes.size() && count <= (bytes.size() - at) / size;
  }
};

Error broken(std::string what) { return {Code::kInvalidArgument, "GGUF: " + std::move(what), {}}; }
Error cut_off(std::string_view where) { return broken("the bytes end inside " + std::string(where)); }

template <class Out, class In>
std::vector<Out> numbers(Cursor& cursor, std::uint64_t count) {
  std::vector<Out> values(static_cast<std::size_t>(count));
  for (Out& value : values) {
    value = static_cast<Out>(cursor.number<In>());
  }
  return values;
}

// Calls use.template operator()<Out, In>() for the number type `type`.
template <class Use>
GgufValue with_number_type(ValueType type, Use use) {
  switch (type) {
    case ValueType::kU8:
    case ValueType::kBool:
      return use.template operator()<std::uint64_t, std::uint8_t>();
    case ValueType::kI8:
      return use.template operator()<std::int64_t, std::int8_t>();
    case ValueType::kU16:
      return use.template operator()<std::uint64_t, std::uint16_t>();
    case ValueType::kI16:
      return use.template operator()<std::int64_t, std::int16_t>();
    case ValueType::kU32:
      return use.template operator()<std::uint64_t, std::uint32_t>();
    case ValueType::kI32:
      return use.template operator()<std::int64_t, std::int32_t>();
    case ValueType::kF32:
      return use.template operator()<double, float>();
    case ValueType::kU64:
      return use.template operator()<std::uint64_t, std::uint64_t>();
    case ValueType::kI64:
      return use.template operator()<std::int64_t, std::int64_t>();
    default:
      return use.template operator()<double, double>();
  }
}

Result<GgufValue> read_array(Cursor& cursor, const std::string& key) {
  const auto type = cursor.number<std::uint32_t>();
  const auto count = cursor.number<std::uint64_t>();
  if (type >= kLeastBytes.size() || static_cast<ValueType>(type) == ValueType::kArray) {
    return fail(broken("the array '" + key + "' has elements of type " + std::to_string(type)));
  }
  if (cursor.is_short || !cursor.holds(count, kLeastBytes[type])) {
    return fail(cut_off("the array '" + key + "'"));
  }
  if (static_cast<ValueType>(type) == ValueType::kString) {
    std::vector<std::string> strings;
    for (std::uint64_t index = 0; index < count && !cursor.is_short; ++index) {
      strings.push_back(cursor.string());
    }
    return strings;
  }
  return with_number_type(static_cast<ValueType>(type),
                          [&]<class Out, class In>() -> GgufValue { return numbers<Out, In>(cursor, count); });
}

Result<GgufValue> read_value(Cursor& cursor, const std::string& key) {
  const auto type = cursor.number<std::uint32_t>();
  if (type >= kLeastBytes.size()) {
    return fail(broken("the value '" + key + "' has type " + std::to_string(type)));
  }
  switch (static_cast<ValueType>(type)) {
    case ValueType::kArray:
      return read_array(cursor, key);
    case ValueType::kString:
      return cursor.string();
    case ValueType::kBool:
      return cursor.number<std::uint8_t>() != 0;
    default:
      return with_number_type(static_cast<ValueType>(type), [&]<class Out, class In>() -> GgufValue {
        return static_cast<Out>(cursor.number<In>());
      });
  }
}

// The tensor with its offset still counted from the start of data.
Result<GgufTensor> read_tensor(Cursor& cursor, const std::string& name) {
  GgufTensor tensor;
  const auto rank = cursor.number<std::uint32_t>();
  if (rank > kMaxGgufRank) {
    return fail(broken("tensor '" + name + "' has " + std::to_string(rank) + " dimensions"));
  }
  std::uint64_t elements = 1;
  for (std::uint32_t index = 0; index < rank; ++index) {
    const auto dim = cursor.number<std::uint64_t>();
    if (!cursor.is_short && (dim == 0 || dim > (std::uint64_t{1} << 48) / elements)) {
      return fail(broken("tensor '" + name + "' is empty or has more than 2^48 elements"));
    }
    elements *= std::max<std::uint64_t>(dim, 1);
    tensor.dims.push_back(dim);
  }
  const auto type = cursor.number<std::uint32_t>();
  tensor.offset = cursor.number<std::uint64_t>();
  if (cursor.is_short) {
    return fail(cut_off("tensor '" + name + "'"));
  }
  tensor.type = gguf_type(type);
  if (tensor.type == nullptr) {
    return fail(Code::kPrecisionNotSupported, "GGUF: tensor '" + name + "' has elements of type " +
                                                  std::to_string(type) + ", which is not supported");
  }
  if (tensor.row_length() % tensor.type->block_elements != 0) {
    return fail(broken("rows of tensor '" + name + "' are no whole blocks of " + std::string(tensor.type->name)));
  }
  tensor.bytes = elements / tensor.type->block_elements * tensor.type->block_bytes;
  return tensor;
}

}  // namespace

const GgufType* gguf_type(std::uint32_t code) {
  const auto found =
      std::ranges::find_if(kTypes, [&](const GgufType& type) { return static_cast<std::uint32_t>(type.code) == code; });
  return found == kTypes.end() ? nullptr : &*found;
}

std::uint64_t GgufTensor::row_count() const {
  std::uint64_t rows = 1;
  for (std::size_t index = 1; index < dims.size(); ++index) {
    rows *= dims[index];
  }
  return rows;
}

Result<Gguf> parse_gguf(Bytes head, std::uint64_t file_bytes) {
  Cursor cursor{head};
  if (head.size() < 4 || as_text(head.first(4)) != "GGUF") {
    return fail(broken("the file does not start with 'GGUF'"));
  }
  cursor.at = 4;
  const auto version = cursor.number<std::uint32_t>();
  const auto tensor_count = cursor.number<std::uint64_t>();
  const auto value_count = cursor.number<std::uint64_t>();
  if (cursor.is_short) {
    return fail(cut_off("the header"));
  }
  if (version != 2 && version != 3) {
    return fail(broken("version " + std::to_string(version) + " instead of 2 or 3"));
  }
  Gguf gguf;
  for (std::uint64_t index = 0; index < value_count; ++index) {
    const std::string key = cursor.string();
    auto value = read_value(cursor, key);
    if (!value) {
      return fail(value.error());
    }
    if (cursor.is_short) {
      return fail(cut_off("the value '" + key + "'"));
    }
    if (!gguf.values.emplace(key, *std::move(value)).second) {
      return fail(broken("the key '" + key + "' twice"));
    }
  }
  for (std::uint64_t index = 0; index < tensor_count; ++index) {
    const std::string name = cursor.string();
    auto tensor = read_tensor(cursor, name);
    if (!tensor) {
      return fail(tensor.error());
    }
    if (!gguf.tensors.emplace(name, *std::move(tensor)).second) {
      return fail(broken("tensor '" + name + "' twice"));
    }
  }
  const auto* given = gguf.find<std::uint64_t>("general.alignment");
  const std::uint64_t alignment = given != nullptr ? *given : 32;
  if (!std::has_single_bit(alignment) || alignment < 8 || alignment > (1U << 20)) {
    return fail(broken("general.alignment is " + std::to_string(alignment)));
  }
  const std::uint64_t data = (cursor.at + alignment - 1) / alignment * alignment;
  for (auto& [name, tensor] : gguf.tensors) {
    if (tensor.offset % alignment != 0) {
      return fail(broken("tensor '" + name + "' is not aligned to " + std::to_string(alignment)));
    }
    if (data > file_bytes || tensor.offset > file_bytes - data || tensor.bytes > file_bytes - data - tensor.offset) {
      return fail(broken("tensor '" + name + "' reaches beyond the end of the file"));
    }
    tensor.offset += data;
  }
  return gguf;
}

}  // namespace shoal::import
