#include "engine/kernels/kv_format.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "engine/core/f16.hpp"
#include "engine/formats/half.hpp"
#include "engine/kernels/four.hpp"

namespace shoal::kernels {
namespace {

constexpr float kMostHalf = 65504;
constexpr std::size_t kHeader = 4;  // scale and least value of a group

using FourBytes = std::uint8_t __attribute__((ext_vector_type(4)));

void put_half(std::uint8_t* to, float value) {
  const std::uint16_t half = formats::f32_to_f16(std::clamp(value, -kMostHalf, kMostHalf));
  std::memcpy(to, &half, sizeof(half));
}

float half_at(const std::uint8_t* from) {
  std::uint16_t half = 0;
  std::memcpy(&half, from, sizeof(half));
  return f16_to_f32(half);
}

// Codes against the scale and the least value as they are stored.
void store_group(std::uint32_t bits, std::size_t size, const float* from, std::uint8_t* to) {
  const auto [least, most] = std::minmax_element(from, from + size);
  const auto top = static_cast<float>((1U << bits) - 1);
  put_half(to, (*most - *least) / top);
  put_half(to + 2, *least);
  const float scale = half_at(to);
  const float floor = half_at(to + 2);
  const std::size_t parts = 8 / bits;
  const std::size_t bytes = size / parts;
  std::uint8_t* codes = to + kHeader;
  std::fill_n(codes, bytes, std::uint8_t{0});
  for (std::size_t part = 0; part < parts && scale > 0; ++part) {
    for (std::size_t index = 0; index < bytes; ++index) {
      const float steps = (from[part * bytes + index] - floor) / scale;
      const auto code = static_cast<std::uint32_t>(std::clamp(steps + 0.5F, 0.0F, top));
      codes[index] = static_cast<std::uint8_t>(codes[index] | code << (part * bits));
    }
  }
}

template <std::uint32_t kBits>
void load_group(std::size_t size, const std::uint8_t* from, float* to) {
  const float scale = half_at(from);
  const float floor = half_at(from + 2);
  constexpr std::size_t kParts = 8 / kBits;
  constexpr std::int32_t kMask = (1 << kBits) - 1;
  const std::size_t bytes = size / kParts;
  const std::uint8_t* codes = from + kHeader;
  std::size_t index = 0;
  for (; index + kFour <= bytes; index += kFour) {
    FourBytes packed;
    std::memcpy(&packed, codes + index, sizeof(packed));
    const FourInts wide = __builtin_convertvector(packed, FourInts);
    for (std::size_t part = 0; part < kParts; ++part) {
      const FourInts code = (wide >> static_cast<std::int32_t>(part * kBits)) & kMask;
      store4(to + part * bytes + index, __builtin_convertvector(code, Four) * scale + floor);
    }
  }
  for (; index < bytes; ++index) {
    for (std::size_t part = 0; part < kParts; ++part) {
      const auto code = static_cast<std::uint32_t>(codes[index]) >> (part * kBits) & static_cast<std::uint32_t>(kMask);
      to[part * bytes + index] = static_cast<float>(code) * scale + floor;
    }
  }
}

// Finite ones, subnormals too: their bits in the place of a binary32's are the number times 2^-112.
void load_halves(const std::uint8_t* from, std::size_t count, float* to) {
  using FourHalves = std::uint16_t __attribute__((ext_vector_type(4)));
  using FourWords = std::uint32_t __attribute__((ext_vector_type(4)));
  std::size_t index = 0;
  for (; index + kFour <= count; index += kFour) {
    FourHalves halves;
    std::memcpy(&halves, from + index * 2, sizeof(halves));
    const auto high = std::bit_cast<FourInts>(__builtin_convertvector(halves, FourWords) << 16U);
    // An arithmetic shift takes the sign along; the mask takes its copies out of the exponent.
    const auto moved = std::bit_cast<FourWords>(high >> 3) & 0x8FFFE000U;
    store4(to + index, std::bit_cast<Four>(moved) * 0x1p112F);
  }
  for (; index < count; ++index) {
    to[index] = half_at(from + index * 2);
  }
}

void store_head(const KvFormat& format, const float* from, std::uint8_t* to) {
  if (format.bits == 32) {
    std::memcpy(to, from, format.head_bytes());
    return;
  }
  if (format.bits == 16) {
    for (std::size_t column = 0; column < format.width; ++column) {
      put_half(to + column * 2, from[column]);
    }
    return;
  }
  std::array<float, kMaxHeadWidth> turned;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  std::copy_n(from, format.width, turned.begin());
  if (format.is_turned()) {
    turn(turned.data(), format.width);
  }
  const std::size_t group = format.group();
  const std::size_t group_bytes = kHeader + group * format.bits / 8;
  for (std::size_t first = 0; first < format.width; first += group) {
    store_group(format.bits, group, turned.data() + first, to);
    to += group_bytes;
  }
}

}  // namespace

Result<KvFormat> KvFormat::make(std::uint32_t bits, std::uint32_t heads, std::uint32_t width) {
  if (bits != 32 && bits != 16 && bits != 8 && bits != 4 && bits != 2) {
    return fail(Code::kInvalidArgument, "keys and values have 32, 16, 8, 4 or 2 bits, not " + std::to_string(bits),
                "kv_bits");
  }
  const KvFormat out{.bits = bits, .heads = heads, .width = width};
  if (out.is_quantized() && (width > kMaxHeadWidth || width * bits % 8 != 0 || out.group() * bits % 8 != 0)) {
    return fail(Code::kPrecisionNotSupported,
                "heads of " + std::to_string(width) + " columns cannot have " + std::to_string(bits) + " bits",
                "kv_bits");
  }
  return out;
}

std::uint32_t KvFormat::group() const {
  std::uint32_t most = bits == 2 ? 32 : 64;
  most = std::min(most, width);
  while (width % most != 0) {
    --most;
  }
  return most;
}

std::size_t KvFormat::head_bytes() const {
  if (!is_quantized()) {
    return std::size_t{width} * bits / 8;
  }
  const std::size_t size = group();
  return width / size * (kHeader + size * bits / 8);
}

void turn(float* numbers, std::size_t width) {
  for (std::size_t half = 1; half < width; half *= 2) {
    for (std::size_t first = 0; first < width; first += 2 * half) {
      for (std::size_t index = first; index < first + half; ++index) {
        const float a = numbers[index];
        const float b = numbers[index + half];
        numbers[index] = a + b;
        numbers[index + half] = a - b;
      }
    }
  }
  const float share = 1 / std::sqrt(static_cast<float>(width));
  for (std::size_t index = 0; index < width; ++index) {
    numbers[index] *= share;
  }
}

void store_row(const KvFormat& format, const float* from, std::uint8_t* to) {
  for (std::size_t head = 0; head < format.heads; ++head) {
    store_head(format, from + head * format.width, to + head * format.head_bytes());
  }
}

void load_head(const KvFormat& format, const std::uint8_t* from, float* to) {
  if (format.bits == 32) {
    std::memcpy(to, from, format.head_bytes());
    return;
  }
  if (format.bits == 16) {
    load_halves(from, format.width, to);
    return;
  }
  const std::size_t group = format.group();
  for (std::size_t first = 0; first < format.width; first += group) {
    switch (format.bits) {
      case 8:
        load_group<8>(group, from, to + first);
        break;
      case 4:
        load_group<4>(group, from, to + first);
        break;
      default:
        load_group<2>(group, from, to + first);
        break;
    }
    from += kHeader + group * format.bits / 8;
  }
}

}  // namespace shoal::kernels
