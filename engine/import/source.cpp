#include "engine/import/source.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace shoal::import {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{128} << 20;

// The text of a file, or an empty one when there is none.
Result<std::string> read_text(Files& files, std::string_view name) {
  const auto bytes = files.read(name);
  if (!bytes) {
    return bytes.error().code == Code::kNotFound ? Result<std::string>() : fail(bytes.error());
  }
  if (bytes->size() > kMaxTextBytes) {
    return fail(Code::kResourceLimit, std::string(name) + ": more than " + std::to_string(kMaxTextBytes) + " bytes",
                std::string(name));
  }
  return std::string(as_text(*bytes));
}

Result<Config> read_config(Files& files, std::string_view name) {
  const auto text = files.read(name);
  if (!text) {
    return fail(text.error());
  }
  auto config = Config::parse(as_text(*text));
  if (!config) {
    return fail(std::move(config.error()).with(name));
  }
  return config;
}

// The template that a tokenizer_config.json or chat_template.json holds: one text, or several by name.
std::string template_in(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("chat_template")) {
    return {};
  }
  const auto& found = json["chat_template"];
  if (found.is_string()) {
    return found.get<std::string>();
  }
  for (const auto& one : found.is_array() ? found : nlohmann::json::array()) {
    if (one.is_object() && one.value("name", nlohmann::json()) == "default" && one.contains("template") &&
        one["template"].is_string()) {
      return one["template"].get<std::string>();
    }
  }
  return {};
}

Status read_texts(Files& files, Source& source) {
  std::string beside;
  const std::pair<const char*, std::string*> texts[] = {{"tokenizer.json", &source.tokenizer},
                                                        {"tokenizer_config.json", &source.tokenizer_config},
                                                        {"chat_template.jinja", &source.chat_template},
                                                        {"chat_template.json", &beside}};
  for (const auto& [name, text] : texts) {
    auto read = read_text(files, name);
    if (!read) {
      return fail(std::move(read.error()));
    }
    *text = std::move(*read);
  }
  for (const std::string* text : {&source.tokenizer_config, &beside}) {
    if (source.chat_template.empty() && !text->empty()) {
      source.chat_template = template_in(*text);
    }
  }
  return {};
}

}  // namespace

Result<Source> open_folder(Files& files) {
  auto config = read_config(files, "config.json");
  if (!config) {
    return fail(std::move(config.error()));
  }
  auto generation = read_config(files, "generation_config.json");
  if (!generation && generation.error().code != Code::kNotFound) {
    return fail(std::move(generation.error()));
  }
  auto checkpoint = Checkpoint::open(files);
  if (!checkpoint) {
    return fail(std::move(checkpoint.error()));
  }
  Source source;
  source.config = std::move(*config);
  source.checkpoint = std::move(*checkpoint);
  if (generation) {
    source.generation = std::move(*generation);
  }
  source.name = source.config.text("_name_or_path", "");
  if (auto read = read_texts(files, source); !read) {
    return fail(std::move(read.error()));
  }
  return source;
}

}  // namespace shoal::import
