// Steps of a SequenceEngine on an executor, to their end.
#pragma once

#include <gtest/gtest.h>

#include "engine/runtime/executor.hpp"
#include "engine/runtime/sequence_engine.hpp"

namespace shoal::test {

// False when there was nothing to run.
inline bool run_step(runtime::Executor& executor, runtime::SequenceEngine& engine) {
  const runtime::SequenceEngine::Work* work = engine.begin();
  if (work == nullptr) {
    return false;
  }
  for (const auto& copy : work->copies) {
    executor.copy_slot(copy.from, copy.to, copy.count);
  }
  const auto step = runtime::make_step(work->rows);
  const auto done = step ? executor.run(work->signature, *step) : fail(step.error());
  EXPECT_TRUE(done) << done.error().message;
  const auto logits = executor.output("logits");
  engine.advance(logits ? *logits : kernels::Matrix{});
  return done.has_value();
}

}  // namespace shoal::test
