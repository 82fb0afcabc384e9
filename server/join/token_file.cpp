#include "server/join/token_file.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "server/core/private_file.hpp"

namespace shoal::join {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{16} << 20;

std::int64_t to_ms(WallTime time) { return time.time_since_epoch().count(); }
WallTime from_ms(std::int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); }

json token_json(const Token& token) {
  json devices = json::array();
  for (const KnownDevice& device : token.devices) {
    devices.push_back(
        {{"key_sha256", device.key_sha256}, {"number", device.number}, {"quarantine", device.quarantine}});
  }
  json backends = json::array();
  for (const Backend backend : token.spec.backends) {
    backends.push_back(backend_name(backend));
  }
  return {{"id", token.id},
          {"name", token.spec.name},
          {"backends", backends},
          {"tier", tier_name(token.spec.tier)},
          {"one_time", token.spec.is_one_time},
          {"lifetime_seconds", token.spec.lifetime.count()},
          {"max_devices", token.spec.max_devices},
          {"max_runs", token.spec.max_runs},
          {"secret_sha256", token.secret_sha256},
          {"created_ms", to_ms(token.created)},
          {"expires_ms", to_ms(token.expires)},
          {"revoked_ms", token.revoked ? json(to_ms(*token.revoked)) : json()},
          {"runs", token.runs},
          {"devices", devices}};
}

// Throws what nlohmann's accessors throw.
Token token_of(const json& object) {
  Token token;
  token.id = object.at("id").get<std::string>();
  token.spec.name = object.at("name").get<std::string>();
  token.spec.backends.clear();
  for (const json& name : object.at("backends")) {
    token.spec.backends.push_back(backend_from(name.get<std::string>()).value());
  }
  token.spec.tier = tier_from(object.at("tier").get<std::string>()).value();
  token.spec.is_one_time = object.at("one_time").get<bool>();
  token.spec.lifetime = std::chrono::seconds(object.at("lifetime_seconds").get<std::int64_t>());
  token.spec.max_devices = object.at("max_devices").get<std::uint32_t>();
  token.spec.max_runs = object.at("max_runs").get<std::uint64_t>();
  token.secret_sha256 = object.at("secret_sha256").get<std::string>();
  token.created = from_ms(object.at("created_ms").get<std::int64_t>());
  token.expires = from_ms(object.at("expires_ms").get<std::int64_t>());
  if (!object.at("revoked_ms").is_null()) {
    token.revoked = from_ms(object.at("revoked_ms").get<std::int64_t>());
  }
  token.runs = object.at("runs").get<std::uint64_t>();
  for (const json& device : object.at("devices")) {
    token.devices.push_back({.key_sha256 = device.at("key_sha256").get<std::string>(),
                             .number = device.at("number").get<std::uint32_t>(),
                             .quarantine = device.at("quarantine").get<std::string>()});
  }
  return token;
}

}  // namespace

std::string to_json(const TokenBook& book) {
  json tokens = json::array();
  for (const Token& token : book.tokens()) {
    tokens.push_back(token_json(token));
  }
  return json{{"version", 1}, {"tokens", tokens}}.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<TokenBook> from_json(std::string_view text) {
  // The accessors throw; a file that an operator edited is no bug, so the throw ends here.
  try {
    const json document = json::parse(text);
    if (document.at("version") != 1) {
      return fail(Code::kInvalidArgument, "version: expected 1");
    }
    std::vector<Token> tokens;
    for (const json& object : document.at("tokens")) {
      tokens.push_back(token_of(object));
    }
    return TokenBook(std::move(tokens));
  } catch (const std::exception& error) {
    return fail(Code::kInvalidArgument, error.what());
  }
}

Result<TokenBook> load(const fs::path& file) {
  const auto text = read_private_file(file, kMaxFileBytes);
  if (!text) {
    return fail(text.error());
  }
  if (!*text) {
    return TokenBook();
  }
  Result<TokenBook> book = from_json(**text);
  if (!book) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}", file.string(), book.error().message));
  }
  return book;
}

Status save(const TokenBook& book, const fs::path& file) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  fs::permissions(file.parent_path(), fs::perms::owner_all, error);
  return write_private_file(file, to_json(book));
}

}  // namespace shoal::join
