#include "server/app/precision_options.hpp"

#include <utility>

namespace shoal::app {

void PrecisionOptions::add_to(CLI::App& command) {
  command.add_option("--bits", bits, "Bits of the matrices: 32, 16, 8, 4, 3 or 2")
      ->check(CLI::IsMember({2, 3, 4, 8, 16, 32}))
      ->capture_default_str();
  command.add_flag("--mixed", is_mixed, "Attention, embedding and head at 8 bits or more");
  command
      .add_option("--block", block,
                  "Weights that share a scale: 16, 32, 64, 128 or 256; by default 32, of a billion "
                  "parameters or more 128")
      ->check(CLI::IsMember({16, 32, 64, 128, 256}));
  command.add_option("--scheme", scheme, "asymmetric or symmetric")
      ->check(CLI::IsMember({"asymmetric", "symmetric"}))
      ->capture_default_str();
  command.add_option("--keep", keep,
                     "PATTERN=BITS, may be repeated, the last that matches counts: a name with * and ?, or attention, "
                     "embedding, norm, head, ffn");
}

Result<quantize::PrecisionRequest> PrecisionOptions::request() const {
  quantize::PrecisionRequest out{.bits = bits, .is_mixed = is_mixed};
  out.block = block == 0 ? out.block : block;
  out.scheme = scheme == "symmetric" ? formats::Scheme::kSymmetric : formats::Scheme::kAsymmetric;
  for (const std::string& text : keep) {
    auto rule = quantize::parse_keep(text);
    if (!rule) {
      return fail(std::move(rule.error()).with("--keep"));
    }
    out.keep.push_back(std::move(*rule));
  }
  return out;
}

}  // namespace shoal::app
