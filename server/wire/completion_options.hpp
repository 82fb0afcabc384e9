// The members that all requests for completions share, one by one. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "server/wire/completion_json.hpp"
#include "server/wire/json_reader.hpp"

namespace shoal::wire {

// kInvalidArgument with `param` = the member.
std::unexpected<Error> wrong_member(std::string_view member, std::string_view expected);
std::unexpected<Error> unsupported_member(std::string_view member, std::string_view why);

Status read_flag(JsonReader& reader, std::string_view member, bool& out);
// The value as a document, for what a model's template is given.
Status read_document(JsonReader& reader, std::string_view member, nlohmann::ordered_json& out);
// Refuses a member unless it says what is done anyway.
Status read_only(JsonReader& reader, std::string_view member, std::string_view allowed, std::string_view why);

// The next value as the member `key` of any request; nothing when there is no such member.
std::optional<Status> read_option(JsonReader& reader, std::string_view key, CompletionOptions& options);

}  // namespace shoal::wire
