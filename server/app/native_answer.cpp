#include "server/app/native_answer.hpp"

#include <ctime>
#include <utility>

#include "server/text/chat_template.hpp"

namespace shoal::app {

Result<std::vector<std::int32_t>> prompt_ids(const text::Tokenizer& tokenizer, const PromptTexts& texts,
                                             const std::string& prompt) {
  std::string whole = prompt;
  if (!texts.chat_template.empty()) {
    const auto chat = text::ChatTemplate::load(texts.chat_template, texts.tokenizer_config);
    if (!chat) {
      return fail(chat.error());
    }
    auto text = (*chat)->render({{{"role", "user"}, {"content", prompt}}}, {.now = std::time(nullptr)});
    if (!text) {
      return fail(std::move(text.error()));
    }
    whole = std::move(*text);
  }
  // A template writes the special tokens itself.
  const auto tokens = tokenizer.encode(whole, texts.chat_template.empty());
  if (!tokens) {
    return fail(tokens.error());
  }
  return std::vector<std::int32_t>(tokens->ids.begin(), tokens->ids.end());
}

Result<Answer> run_answer(runtime::Executor& executor, runtime::Generation& generation,
                          const std::shared_ptr<const text::Tokenizer>& tokenizer, const AnswerListener& listener) {
  Answer out;
  std::optional<text::TextStream> stream;
  if (tokenizer) {
    stream.emplace(tokenizer);
  }
  const auto tell = [&](std::optional<std::int32_t> id, Result<std::string> piece) -> Status {
    if (!piece) {
      return fail(std::move(piece.error()));
    }
    out.text += *piece;
    listener.on_token(id, *piece);
    return {};
  };
  TimePoint begin = Clock::now();
  Duration* phase = &out.prefill;
  while (!generation.finished()) {
    if (listener.is_cancelled != nullptr && *listener.is_cancelled) {
      generation.cancel();
      break;
    }
    const auto made = runtime::run_step(executor, generation);
    if (!made) {
      return fail(made.error());
    }
    const TimePoint now = Clock::now();
    *phase += now - std::exchange(begin, now);
    if (!*made) {
      continue;
    }
    phase = &out.decode;
    auto piece = stream ? stream->add(static_cast<std::uint32_t>(**made)) : Result<std::string>();
    if (auto told = tell(**made, std::move(piece)); !told) {
      return fail(std::move(told.error()));
    }
  }
  if (stream) {
    if (auto told = tell(std::nullopt, stream->finish()); !told) {
      return fail(std::move(told.error()));
    }
  }
  out.ids = generation.made();
  out.reason = *generation.finished();
  return out;
}

}  // namespace shoal::app
