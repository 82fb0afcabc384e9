#include "engine/formats/block_format.hpp"

#include <array>
#include <bit>
#include <charconv>

namespace shoal::formats {
namespace {

constexpr std::array<std::string_view, 6> kCodeNames = {"f32", "f16", "q8", "q4", "q3", "q2"};
constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 40;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t step) { return (value + step - 1) / step * step; }

std::uint64_t columns_of(Codes codes, std::uint64_t k) {
  if (codes == Codes::kF32) {
    return k;
  }
  if (codes == Codes::kF16) {
    return (k + 1) / 2;
  }
  return round_up(k, 32) / 32 * code_bits(codes);
}

std::string dims(std::uint64_t n, std::uint64_t k) { return "[" + std::to_string(n) + ", " + std::to_string(k) + "]"; }

std::string_view take_part(std::string_view& text) {
  const std::size_t dash = text.find('-');
  const std::string_view part = text.substr(0, dash);
  text = dash == std::string_view::npos ? std::string_view{} : text.substr(dash + 1);
  return part;
}

}  // namespace

Result<Codes> codes_of_bits(std::uint32_t bits) {
  for (const Codes codes : {Codes::kF32, Codes::kF16, Codes::kQ8, Codes::kQ4, Codes::kQ3, Codes::kQ2}) {
    if (code_bits(codes) == bits) {
      return codes;
    }
  }
  return fail(Code::kPrecisionNotSupported, "weights have 2, 3, 4, 8, 16 or 32 bits, not " + std::to_string(bits),
              "bits");
}

std::string format_name(const BlockFormat& format) {
  std::string name(kCodeNames[static_cast<std::size_t>(format.codes)]);
  if (is_quantized(format.codes)) {
    name += format.scheme == Scheme::kSymmetric ? "-sym" : "-asym";
    name += format.scales == ScaleEncoding::kF16 ? "-f16" : "-s8z8";
    name += "-g" + std::to_string(format.block);
  }
  return name;
}

Result<BlockFormat> parse_format(std::string_view name) {
  BlockFormat format;
  std::string_view rest = name;
  const std::string_view codes = take_part(rest);
  for (std::size_t index = 0; index < kCodeNames.size(); ++index) {
    if (codes == kCodeNames[index]) {
      format.codes = static_cast<Codes>(index);
    }
  }
  if (is_quantized(format.codes)) {
    format.scheme = take_part(rest) == "sym" ? Scheme::kSymmetric : Scheme::kAsymmetric;
    format.scales = take_part(rest) == "f16" ? ScaleEncoding::kF16 : ScaleEncoding::kS8Z8;
    if (rest.starts_with('g')) {
      std::from_chars(rest.data() + 1, rest.data() + rest.size(), format.block);
    }
  }
  const bool block_is_valid =
      std::has_single_bit(format.block) && format.block >= kMinBlock && format.block <= kMaxBlock;
  if (!block_is_valid || format_name(format) != name) {
    return fail(Code::kInvalidArgument,
                "'" + std::string(name) + "' is no weight format: expected f32, f16 or for example q4-asym-s8z8-g32");
  }
  return format;
}

Result<std::uint16_t> effective_block(std::uint32_t requested, std::uint64_t k) {
  if (!std::has_single_bit(requested) || requested < kMinBlock || requested > kMaxBlock) {
    return fail(Code::kInvalidArgument, "a block has 16, 32, 64, 128 or 256 elements, not " + std::to_string(requested),
                "block");
  }
  if (k == 0 || k % kMinBlock != 0) {
    return fail(Code::kPrecisionNotSupported,
                "rows of " + std::to_string(k) + " elements cannot be cut into blocks of 16 or more");
  }
  while (k % requested != 0) {
    requested /= 2;
  }
  return static_cast<std::uint16_t>(requested);
}

Result<BlockLayout> layout_of(const BlockFormat& format, std::uint64_t n, std::uint64_t k) {
  if (n == 0 || k == 0 || n > kMaxElements || k > kMaxElements || n > kMaxElements / k) {
    return fail(Code::kInvalidArgument, "a matrix of " + dims(n, k) + " is empty or has more than 2^40 elements");
  }
  BlockLayout layout{.n = n, .k = k, .tiles = (n + kTileRows - 1) / kTileRows, .columns = columns_of(format.codes, k)};
  layout.scales_offset = round_up(layout.tiles * layout.columns * kTileRows * 4, kRegionAlignment);
  layout.row_scales_offset = layout.bytes = layout.scales_offset;
  if (is_quantized(format.codes)) {
    const auto block = effective_block(format.block, k);
    if (!block) {
      return fail(block.error());
    }
    if (*block != format.block) {
      return fail(Code::kInvalidArgument, "a block of " + std::to_string(format.block) + " does not divide rows of " +
                                              std::to_string(k) + " elements");
    }
    layout.blocks = k / format.block;
    layout.row_scales_offset = round_up(
        layout.scales_offset + layout.tiles * layout.blocks * kTileRows * entry_bytes(format), kRegionAlignment);
    layout.bytes = layout.row_scales_offset;
    if (format.scales == ScaleEncoding::kS8Z8) {
      layout.bytes = round_up(layout.row_scales_offset + layout.tiles * kTileRows * 2, kRegionAlignment);
    }
  }
  return layout;
}

Result<BlockMatrix> matrix_view(const BlockFormat& format, std::uint64_t n, std::uint64_t k, Bytes data) {
  const auto layout = layout_of(format, n, k);
  if (!layout) {
    return fail(layout.error());
  }
  if (data.size() != layout->bytes) {
    return fail(Code::kInvalidArgument, "a " + format_name(format) + " matrix of " + dims(n, k) + " has " +
                                            std::to_string(layout->bytes) + " bytes, not " +
                                            std::to_string(data.size()));
  }
  if (reinterpret_cast<std::uintptr_t>(data.data()) % 4 != 0) {
    return fail(Code::kInvalidArgument, "a matrix starts on a multiple of 4 bytes");
  }
  return BlockMatrix{format, *layout, data.data()};
}

}  // namespace shoal::formats
