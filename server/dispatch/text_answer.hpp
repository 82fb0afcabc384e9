// One text that grows: from the tokens of a worker's responses to what the client is told. Main lane.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/tensor.hpp"
#include "server/dispatch/inference.hpp"
#include "server/text/stop_strings.hpp"

namespace shoal::text {
class TextStream;
class Tokenizer;
}  // namespace shoal::text

namespace shoal::dispatch {

class TextAnswer {
 public:
  TextAnswer();
  // `tokenizer` may be null: then there is no text.
  TextAnswer(const std::shared_ptr<const text::Tokenizer>& tokenizer, std::vector<std::string> stop,
             std::size_t prompt_tokens);
  TextAnswer(TextAnswer&&) noexcept;
  TextAnswer& operator=(TextAnswer&&) noexcept;
  ~TextAnswer();

  // The tokens of one response; those behind a stop string are passed over. kInternal for other outputs.
  Status add(std::span<const Tensor> outputs);
  // No more will come.
  Status finish();
  [[nodiscard]] bool is_stopped() const { return stops_.is_stopped(); }
  // Whether a client would learn anything from put_into().
  [[nodiscard]] bool has_news() const { return stream_ == nullptr ? !piece_.ids.empty() : !piece_.text.empty(); }
  // Tokens until now.
  [[nodiscard]] std::uint32_t made() const { return static_cast<std::uint32_t>(piece_.completion_tokens); }
  // What the last add() brought.
  [[nodiscard]] std::span<const std::uint32_t> last_ids() const { return std::span(piece_.ids).last(last_); }
  // Makes what came since the last call the response's piece and its only output.
  void put_into(InferenceResponse& response);

 private:
  std::unique_ptr<text::TextStream> stream_;
  text::StopStrings stops_;
  TextPiece piece_;
  std::size_t last_ = 0;
};

}  // namespace shoal::dispatch
