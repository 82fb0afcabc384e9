// Sentence embedding from token states [batch, tokens, width], per row over the tokens whose mask is 1. Done by the
// browser, so that [batch, width] crosses the wire and not the token states.
#pragma once

#include <cstdint>
#include <string>

namespace shoal {

struct Pooling {
  enum class Kind : std::uint8_t { kMean, kCls };
  Kind kind = Kind::kMean;
  bool normalize = true;  // divide by the L2 norm
  std::string output;     // name of the token states
  std::string mask;       // name of the attention mask input
};

}  // namespace shoal
