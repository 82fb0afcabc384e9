#include "server/auth/key_file.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "server/core/private_file.hpp"

namespace shoal::auth {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{4} << 20;
constexpr std::size_t kHashDigits = 64;

json time_json(const std::optional<WallTime>& time) { return time ? json(time->time_since_epoch().count()) : json(); }

std::optional<WallTime> time_of(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(WallTime(std::chrono::milliseconds(value.get<std::int64_t>())));
}

json key_json(const Key& key) {
  json scopes = json::array();
  for (const Scope scope : key.spec.scopes) {
    scopes.push_back(scope_name(scope));
  }
  return {{"id", key.id},
          {"name", key.spec.name},
          {"scopes", scopes},
          {"requests_per_second", key.spec.requests_per_second},
          {"burst", key.spec.burst},
          {"secret_sha256", key.secret_sha256},
          {"created_ms", time_json(key.created)},
          {"expires_ms", time_json(key.expires)},
          {"revoked_ms", time_json(key.revoked)}};
}

// Throws what nlohmann's accessors throw.
Key key_of(const json& object) {
  Key key;
  key.id = object.at("id").get<std::string>();
  key.spec.name = object.at("name").get<std::string>();
  key.spec.scopes.clear();
  for (const json& name : object.at("scopes")) {
    const auto scope = scope_from(name.get<std::string>());
    if (!scope) {
      throw std::invalid_argument(fmt::format("scopes: expected {}", kScopeNames));
    }
    key.spec.scopes.push_back(*scope);
  }
  key.spec.requests_per_second = object.at("requests_per_second").get<double>();
  key.spec.burst = object.value("burst", 0.0);
  key.secret_sha256 = object.at("secret_sha256").get<std::string>();
  if (key.secret_sha256.size() != kHashDigits) {
    throw std::invalid_argument("secret_sha256: expected 64 hex digits");
  }
  key.created = time_of(object.at("created_ms")).value();
  key.expires = time_of(object.at("expires_ms"));
  key.revoked = time_of(object.at("revoked_ms"));
  return key;
}

}  // namespace

std::string to_json(const KeyBook& book) {
  json keys = json::array();
  for (const Key& key : book.keys()) {
    keys.push_back(key_json(key));
  }
  return json{{"version", 1}, {"keys", keys}}.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<KeyBook> from_json(std::string_view text) {
  // The accessors throw; a file that an operator edited is no bug, so the throw ends here.
  try {
    const json document = json::parse(text);
    if (document.at("version") != 1) {
      return fail(Code::kInvalidArgument, "version: expected 1");
    }
    std::vector<Key> keys;
    for (const json& object : document.at("keys")) {
      keys.push_back(key_of(object));
    }
    return KeyBook(std::move(keys));
  } catch (const std::exception& error) {
    return fail(Code::kInvalidArgument, error.what());
  }
}

Result<KeyBook> load(const std::filesystem::path& file) {
  const auto text = read_private_file(file, kMaxFileBytes);
  if (!text) {
    return fail(text.error());
  }
  if (!*text) {
    return KeyBook();
  }
  Result<KeyBook> book = from_json(**text);
  if (!book) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}", file.string(), book.error().message));
  }
  return book;
}

Status save(const KeyBook& book, const std::filesystem::path& file) { return write_private_file(file, to_json(book)); }

}  // namespace shoal::auth
