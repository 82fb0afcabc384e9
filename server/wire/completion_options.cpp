#include "server/wire/completion_options.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "server/wire/shoal_json.hpp"

namespace shoal::wire {

using Kind = JsonReader::Kind;
using Json = nlohmann::ordered_json;

std::unexpected<Error> wrong_member(std::string_view member, std::string_view expected) {
  return fail(Code::kInvalidArgument, fmt::format("'{}' must be {}", member, expected), std::string(member));
}

std::unexpected<Error> unsupported_member(std::string_view member, std::string_view why) {
  return fail(Code::kInvalidArgument, fmt::format("'{}' is not supported: {}", member, why), std::string(member));
}

Status read_flag(JsonReader& reader, std::string_view member, bool& out) {
  if (reader.peek() != Kind::kBool) {
    return wrong_member(member, "true or false");
  }
  out = reader.read_bool().value_or(false);
  return reader.status();
}

Status read_document(JsonReader& reader, std::string_view member, Json& out) {
  const auto text = reader.skip_value();
  if (!text) {
    return reader.status();
  }
  out = Json::parse(*text, nullptr, false);
  return out.is_discarded() ? wrong_member(member, "JSON without NaN and Infinity") : Status();
}

Status read_only(JsonReader& reader, std::string_view member, std::string_view allowed, std::string_view why) {
  const auto text = reader.skip_value();
  return !text || *text == allowed ? reader.status() : unsupported_member(member, why);
}

Status read_count(JsonReader& reader, std::string_view member, std::int64_t least, std::int64_t most,
                  std::uint32_t& out) {
  const auto value = reader.peek() == Kind::kNumber ? reader.read_int64() : std::nullopt;
  if (!value || *value < least || *value > most) {
    return wrong_member(member, fmt::format("an integer from {} to {}", least, most));
  }
  out = static_cast<std::uint32_t>(*value);
  return {};
}

namespace {

// As read_count().
Status read_some(JsonReader& reader, std::string_view member, std::optional<std::uint32_t>& out) {
  return read_count(reader, member, 1, std::numeric_limits<std::int32_t>::max(), out.emplace());
}

Status read_real(JsonReader& reader, std::string_view member, double least, double most, float& out) {
  const auto text = reader.peek() == Kind::kNumber ? reader.read_number() : std::nullopt;
  double value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc() ||
      !(value >= least) || !(value <= most)) {
    return wrong_member(member, fmt::format("a number from {} to {}", least, most));
  }
  out = static_cast<float>(value);
  return {};
}

Status read_text(JsonReader& reader, std::string_view member, std::string& out) {
  if (reader.peek() != Kind::kString) {
    return reader.ok() ? wrong_member(member, "a string") : reader.status();
  }
  out = reader.read_string().value_or("");
  return reader.status();
}

Status read_stop(JsonReader& reader, std::vector<std::string>& stop) {
  const auto expected = fmt::format("a string that is not empty, or a list of up to {}", kMaxStops);
  const auto read_one = [&] {
    stop.push_back(reader.peek() == Kind::kString ? reader.read_string().value_or("") : "");
    return !stop.back().empty() && stop.size() <= kMaxStops;
  };
  if (reader.peek() != Kind::kArray) {
    return read_one() ? Status() : wrong_member("stop", expected);
  }
  reader.enter_array();
  while (reader.next_element()) {
    if (!read_one()) {
      return reader.ok() ? wrong_member("stop", expected) : reader.status();
    }
  }
  return reader.status();
}

Status read_biases(JsonReader& reader, std::vector<std::pair<std::uint32_t, float>>& biases) {
  const auto expected = fmt::format("an object of up to {} token ids with numbers from -100 to 100", kMaxBiases);
  if (reader.peek() != Kind::kObject) {
    return reader.ok() ? wrong_member("logit_bias", expected) : reader.status();
  }
  reader.enter_object();
  while (const auto key = reader.next_key()) {
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(key->data(), key->data() + key->size(), id);
    float bias = 0;
    if (error != std::errc() || end != key->data() + key->size() || biases.size() >= kMaxBiases ||
        !read_real(reader, "logit_bias", -100, 100, bias)) {
      return wrong_member("logit_bias", expected);
    }
    biases.emplace_back(id, bias);
  }
  return reader.status();
}

Status read_stream_options(JsonReader& reader, bool& wants_usage) {
  if (reader.peek() != Kind::kObject) {
    return reader.ok() ? wrong_member("stream_options", "an object") : reader.status();
  }
  reader.enter_object();
  while (const auto key = reader.next_key()) {
    if (*key != "include_usage") {
      reader.skip_value();
    } else if (Status status = read_flag(reader, "stream_options.include_usage", wants_usage); !status) {
      return status;
    }
  }
  return reader.status();
}

using Member = Status (*)(JsonReader& reader, CompletionOptions& options);
const std::map<std::string_view, Member> kMembers = {
    {"model", [](JsonReader& reader, CompletionOptions& options) { return read_text(reader, "model", options.model); }},
    {"max_tokens", [](JsonReader& reader,
                      CompletionOptions& options) { return read_some(reader, "max_tokens", options.max_tokens); }},
    {"max_completion_tokens",
     [](JsonReader& reader, CompletionOptions& options) {
       return read_some(reader, "max_completion_tokens", options.max_tokens);
     }},
    {"n",
     [](JsonReader& reader, CompletionOptions& options) { return read_count(reader, "n", 1, kMaxChoices, options.n); }},
    {"stop", [](JsonReader& reader, CompletionOptions& options) { return read_stop(reader, options.stop); }},
    {"seed",
     [](JsonReader& reader, CompletionOptions& options) {
       const auto seed = reader.peek() == Kind::kNumber ? reader.read_int64() : std::nullopt;
       options.seed = static_cast<std::uint64_t>(seed.value_or(0));
       return seed ? Status() : wrong_member("seed", "an integer");
     }},
    {"temperature",
     [](JsonReader& reader, CompletionOptions& options) {
       return read_real(reader, "temperature", 0, 2, options.sampling.temperature);
     }},
    {"top_p", [](JsonReader& reader,
                 CompletionOptions& options) { return read_real(reader, "top_p", 0, 1, options.sampling.top_p); }},
    {"top_k",
     [](JsonReader& reader, CompletionOptions& options) {
       return read_count(reader, "top_k", 0, std::numeric_limits<std::int32_t>::max(), options.sampling.top_k);
     }},
    {"min_p", [](JsonReader& reader,
                 CompletionOptions& options) { return read_real(reader, "min_p", 0, 1, options.sampling.min_p); }},
    {"presence_penalty",
     [](JsonReader& reader, CompletionOptions& options) {
       return read_real(reader, "presence_penalty", -2, 2, options.sampling.presence_penalty);
     }},
    {"frequency_penalty",
     [](JsonReader& reader, CompletionOptions& options) {
       return read_real(reader, "frequency_penalty", -2, 2, options.sampling.frequency_penalty);
     }},
    {"repetition_penalty",
     [](JsonReader& reader, CompletionOptions& options) {
       return read_real(reader, "repetition_penalty", 0.01, 100, options.sampling.repetition_penalty);
     }},
    {"logit_bias",
     [](JsonReader& reader, CompletionOptions& options) { return read_biases(reader, options.sampling.logit_bias); }},
    {"ignore_eos", [](JsonReader& reader,
                      CompletionOptions& options) { return read_flag(reader, "ignore_eos", options.ignores_eos); }},
    {"cache_salt",
     [](JsonReader& reader, CompletionOptions& options) {
       Status status = read_text(reader, "cache_salt", options.cache_salt);
       const std::size_t size = options.cache_salt.size();
       return status && (size == 0 || size > kMaxSaltBytes)
                  ? wrong_member("cache_salt", fmt::format("a string of 1 to {} bytes", kMaxSaltBytes))
                  : status;
     }},
    {"stream",
     [](JsonReader& reader, CompletionOptions& options) { return read_flag(reader, "stream", options.is_streamed); }},
    {"stream_options",
     [](JsonReader& reader, CompletionOptions& options) { return read_stream_options(reader, options.wants_usage); }},
    {"return_token_ids",
     [](JsonReader& reader, CompletionOptions& options) {
       return read_flag(reader, "return_token_ids", options.wants_token_ids);
     }},
    {"shoal", [](JsonReader& reader, CompletionOptions& options) { return read_shoal(reader, options.parameters); }},
    {"best_of",
     [](JsonReader& reader, CompletionOptions&) { return read_only(reader, "best_of", "1", "every answer is given"); }},
};

}  // namespace

Status read_members(JsonReader& reader, CompletionOptions& options, const OwnMember& own) {
  bool has_stream_options = false;
  if (!reader.enter_object()) {
    return reader.ok() ? fail(Code::kInvalidArgument, "the request must be a JSON object") : reader.status();
  }
  while (const auto key = reader.next_key()) {
    if (reader.peek() == Kind::kNull) {
      reader.read_null();
      continue;
    }
    has_stream_options = has_stream_options || *key == "stream_options";
    std::optional<Status> read = own(*key);
    if (const auto shared = kMembers.find(*key); !read && shared != kMembers.end()) {
      read = shared->second(reader, options);
    }
    if (!read) {
      reader.skip_value();
    } else if (!*read) {
      return *read;
    }
  }
  if (Status status = reader.finish(); !status) {
    return status;
  }
  if (options.model.empty()) {
    return fail(Code::kInvalidArgument, "'model' is missing", "model");
  }
  if (has_stream_options && !options.is_streamed) {
    return wrong_member("stream_options", "left out unless 'stream' is true");
  }
  return options.sampling.top_p > 0 ? Status() : wrong_member("top_p", "above 0");
}

}  // namespace shoal::wire
