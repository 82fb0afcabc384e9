// The members that all requests for completions share, one by one. Pure.
#pragma once

#include <cstdint>
#include <functional>
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

// Reads the next value as a member of its own kind of request; nothing when there is no such member.
using OwnMember = std::function<std::optional<Status>(std::string_view key)>;

// All members of a request: `own` is asked first, then those that all requests share; others are passed over. `null` is
// as if the member were not there.
Status read_members(JsonReader& reader, CompletionOptions& options, const OwnMember& own);

// An integer in these bounds.
Status read_count(JsonReader& reader, std::string_view member, std::int64_t least, std::int64_t most,
                  std::uint32_t& out);
// How many likely tokens are told with each one.
inline constexpr std::int64_t kMaxTopLogprobs = 20;

}  // namespace shoal::wire
