// Documents of /admin/v1 as text for people. Pure; a field that is missing is left empty.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace shoal::app {

// Columns as wide as their widest cell, two spaces between them, no space at the end of a line.
std::string table(const std::vector<std::vector<std::string>>& rows);
// "1.4 GiB", "17 MiB", "0".
std::string bytes_text(std::uint64_t bytes);

std::string workers_text(const nlohmann::ordered_json& list);   // of GET /admin/v1/workers
std::string worker_text(const nlohmann::ordered_json& worker);  // of GET /admin/v1/workers/{slot}
// Of POST /admin/v1/workers/{slot}/debug: errors, operations, shaders and the memory curve, as far as they are there.
std::string debug_text(const nlohmann::ordered_json& document);
std::string tokens_text(const nlohmann::ordered_json& list);     // of GET /admin/v1/join/tokens
std::string poison_text(const nlohmann::ordered_json& list);     // of GET /admin/v1/poison
std::string cleared_text(const nlohmann::ordered_json& answer);  // of DELETE there
std::string server_text(const nlohmann::ordered_json& server);   // of POST /admin/v1/drain and resume
std::string reload_text(const nlohmann::ordered_json& answer);   // of POST /admin/v1/reload
std::string event_text(const nlohmann::ordered_json& event);     // one line, with its newline

}  // namespace shoal::app
