// The messages of a chat, in the form that chat templates read. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/core/result.hpp"

namespace shoal::wire {

// Checks a list of messages and makes it what templates know: content parts become a text, `developer` is `system`,
// arguments of tool calls are objects. kInvalidArgument with `param` = the member at fault, of the list `member`.
Status check_messages(nlohmann::ordered_json& messages, std::string_view member);

}  // namespace shoal::wire
