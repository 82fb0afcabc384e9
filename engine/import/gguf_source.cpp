#include <algorithm>
#include <utility>

#include "engine/import/gguf/gguf.hpp"
#include "engine/import/gguf_config.hpp"
#include "engine/import/gguf_tokenizer.hpp"
#include "engine/import/source.hpp"

namespace shoal::import {
namespace {

constexpr std::string_view kMagic = "GGUF";

// Types of single elements are those of safetensors too.
std::optional<ElementType> element_of(GgufCode code) {
  switch (code) {
    case GgufCode::kF32:
      return ElementType::kF32;
    case GgufCode::kF16:
      return ElementType::kF16;
    case GgufCode::kBf16:
      return ElementType::kBf16;
    default:
      return std::nullopt;
  }
}

StoredTensor stored(const GgufTensor& tensor, Bytes file) {
  StoredTensor out{.view = {.shape = tensor.dims, .data = file.subspan(tensor.offset, tensor.bytes)}};
  std::ranges::reverse(out.view.shape);
  if (const auto element = element_of(tensor.type->code)) {
    out.view.type = *element;
  } else {
    out.blocks = tensor.type;
  }
  return out;
}

Result<Checkpoint> checkpoint_of(const Gguf& gguf, Bytes file, std::string_view architecture, std::uint32_t head_size) {
  std::map<std::string, StoredTensor, std::less<>> tensors;
  for (const auto& [gguf_name, tensor] : gguf.tensors) {
    if (gguf_name == "rope_freqs.weight") {
      continue;  // part of the configuration
    }
    std::string name = checkpoint_name(gguf_name);
    if (name.empty()) {
      return fail(Code::kOperatorNotSupported,
                  "GGUF: the tensor '" + gguf_name + "' has no place in " + std::string(architecture), gguf_name);
    }
    StoredTensor one = stored(tensor, file);
    one.head_size = has_interleaved_rows(architecture, name) ? head_size : 0;
    tensors.emplace(std::move(name), std::move(one));
  }
  return Checkpoint(std::move(tensors));
}

std::string text_of(const Gguf& gguf, std::string_view key) {
  const auto* text = gguf.find<std::string>(key);
  return text == nullptr ? std::string() : *text;
}

}  // namespace

bool is_gguf(Bytes file) { return file.size() >= kMagic.size() && as_text(file.first(kMagic.size())) == kMagic; }

Result<Source> open_gguf(Bytes file) {
  const auto gguf = parse_gguf(file, file.size());
  if (!gguf) {
    return fail(gguf.error());
  }
  const auto text = config_of_gguf(*gguf, file);
  if (!text) {
    return fail(text.error());
  }
  auto config = Config::parse(*text);
  if (!config) {
    return fail(std::move(config.error()));
  }
  const std::uint32_t head_size = config->count("head_dim");
  if (head_size % 2 != 0) {
    return fail(Code::kInvalidArgument, "GGUF: a head has " + std::to_string(head_size) + " columns, an odd number");
  }
  auto checkpoint = checkpoint_of(*gguf, file, config->text("model_type", ""), head_size);
  if (!checkpoint) {
    return fail(std::move(checkpoint.error()));
  }
  auto tokenizer = tokenizer_of_gguf(*gguf);
  if (!tokenizer) {
    return fail(std::move(tokenizer.error()));
  }
  return Source{.config = std::move(*config),
                .generation = std::nullopt,
                .checkpoint = std::move(*checkpoint),
                .tokenizer = std::move(tokenizer->tokenizer),
                .tokenizer_config = std::move(tokenizer->tokenizer_config),
                .chat_template = text_of(*gguf, "tokenizer.chat_template"),
                .name = text_of(*gguf, "general.name"),
                .licence = text_of(*gguf, "general.license")};
}

}  // namespace shoal::import
