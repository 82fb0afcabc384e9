// Text in, text out: requests with a `text` become token ids for the services behind, and the tokens that come back
// become text again, piece by piece, up to a stop string. Every protocol's generation goes through here. All other
// requests pass. Main lane; tokenising is done on the CPU pool.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "server/dispatch/inference.hpp"

namespace shoal::dispatch {

struct TextServiceOptions {
  Duration default_timeout = std::chrono::minutes(10);  // of requests that name none: answers take as long as they are
};

class TextService final : public InferenceService {
 public:
  // `cpu` runs what takes longer than the lane should: both outlive this, and so does what was posted to `cpu`.
  TextService(boost::asio::any_io_executor main, boost::asio::any_io_executor cpu, InferenceService& behind,
              TextServiceOptions options);
  ~TextService() override;
  // For requests that come from now on.
  void set_options(TextServiceOptions options) { options_ = options; }

  // Of a request with `text`: kInvalidArgument names the field that is wrong, kContextLengthExceeded a prompt that
  // leaves no room for an answer. Responses have `piece`, and the output `text_output` BYTES [1], or `tokens` INT32 [n]
  // of a model without a tokenizer. The last one has `finish_reason`: "stop" or "length". With `shift` a prompt that is
  // too long is cut, and an answer that fills the context goes on, by a new run of what is kept; not where it must obey
  // a grammar (kOperatorNotSupported).
  std::uint64_t submit(InferenceRequest request, Completion done) override;
  void cancel(std::uint64_t ticket) override;
  void finish(std::uint64_t ticket) override;
  // Masks are made here.
  void mask(std::uint64_t ticket, std::uint32_t position, std::string allowed) override {
    behind_.mask(ticket, position, std::move(allowed));
  }
  [[nodiscard]] Status model_ready(const models::ModelVersion& model) const override {
    return behind_.model_ready(model);
  }
  [[nodiscard]] bool is_withheld(const models::ModelVersion& model) const override {
    return behind_.is_withheld(model);
  }
  [[nodiscard]] Status server_ready() const override { return behind_.server_ready(); }

 private:
  struct Answer;
  using AnswerPtr = std::shared_ptr<Answer>;

  struct Prepared;
  static Result<Prepared> prepare(const models::ModelVersion& model, const TextRequest& text,
                                  const std::optional<ContextShift>& shift);
  void prepared(std::uint64_t ticket, Result<Prepared> made);
  void start(std::uint64_t ticket, Answer& answer);
  bool goes_on(std::uint64_t ticket, Answer& answer, const InferenceResponse& part);
  static void remember(Answer& answer);
  // Has the mask of the next token made.
  void constrain(std::uint64_t ticket, const Answer& answer);
  // Empty: the answer obeys its grammar and has ended.
  void masked(std::uint64_t ticket, std::uint32_t position, Result<std::string> mask);
  void gave(std::uint64_t ticket, InferenceResponse response, std::function<void()> more);
  void ended(std::uint64_t ticket, Result<InferenceResponse> result);
  void end(std::uint64_t ticket, Result<InferenceResponse> result);

  boost::asio::any_io_executor main_;
  boost::asio::any_io_executor cpu_;
  InferenceService& behind_;
  TextServiceOptions options_;
  std::map<std::uint64_t, AnswerPtr> answers_;
  std::uint64_t next_ticket_;
  // What was posted looks here before it touches this.
  std::shared_ptr<TextService*> alive_;
};

}  // namespace shoal::dispatch
