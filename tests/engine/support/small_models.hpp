// Models of random weights, small enough for every test run and without any file.
#pragma once

#include <memory>
#include <string>

#include "engine/archs/build.hpp"
#include "engine/runtime/weights.hpp"
#include "tests/engine/support/memory_files.hpp"

namespace shoal::test {

struct SmallModel {
  std::unique_ptr<MemoryFiles> files = std::make_unique<MemoryFiles>();  // stays where it is
  import::Checkpoint checkpoint;
  archs::Model model;
  runtime::Weights weights;
};

// One BERT layer: 50 words, 16 wide, 4 heads, 20 positions. Throws when it cannot be made.
SmallModel small_bert(Parallel& parallel);

}  // namespace shoal::test
