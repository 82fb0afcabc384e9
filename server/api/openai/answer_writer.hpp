// What a client is told of the answers to its request, whole or as server-sent events.
#pragma once

#include <cstddef>
#include <string>

#include "engine/core/result.hpp"
#include "server/dispatch/inference.hpp"

namespace shoal::api::openai {

class AnswerWriter {
 public:
  AnswerWriter() = default;
  AnswerWriter(const AnswerWriter&) = delete;
  AnswerWriter& operator=(const AnswerWriter&) = delete;
  virtual ~AnswerWriter() = default;

  // Takes note of a response to this choice, the last one with `finish_reason`.
  virtual void add(std::size_t choice, dispatch::InferenceResponse response, bool is_last) = 0;
  // After the last one: the JSON document.
  [[nodiscard]] virtual std::string whole() const = 0;
  // What add() has just added, as events of a stream: none or more.
  virtual std::string events(std::size_t choice) = 0;
  // After the last one.
  virtual std::string closing_events() = 0;
  // Instead of those: it has failed.
  virtual std::string error_events(const Error& error) = 0;
};

}  // namespace shoal::api::openai
