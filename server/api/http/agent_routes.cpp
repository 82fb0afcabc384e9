#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <string>
#include <utility>

#include "server/api/http/byte_range.hpp"
#include "server/api/http/routes.hpp"

namespace shoal::api::http {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kTypes = {{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".wasm", "application/wasm"},
    {".wgsl", "text/plain; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
}};

constexpr std::string_view kPage = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Shoal</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 42em; margin: 3em auto; padding: 0 1em; }
  code { background: #8882; padding: 0 .3em; border-radius: .2em; }
  @media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } a { color: #8cf; } }
</style>
<h1>Shoal</h1>
<p>An inference server whose workers are web browsers.</p>
<ul>
  <li><a href="/v2">KServe v2</a> over REST here, over gRPC on its own port: <code>POST /v2/models/{model}/infer</code>
  <li><a href="/v1/models">OpenAI API</a>: <code>POST /v1/chat/completions</code>, <code>/v1/embeddings</code>
  <li><a href="/playground">Playground</a>: a chat with the models here
  <li><a href="/v2/health/ready">Ready?</a> <a href="/v2/models/stats">Statistics</a>
</ul>
</html>
)";

// Threads need a cross-origin isolated page; everything that the agent loads comes from here.
void add_isolation(Response& response) {
  response.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  response.headers.emplace_back("Cross-Origin-Embedder-Policy", "require-corp");
  response.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  response.headers.emplace_back(
      "Content-Security-Policy",
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self'; "
      "style-src 'self' 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
}

Response not_found() { return error_response(ErrorStyle::kKserve, 404, {Code::kNotFound, "Not Found", {}}); }

// The bytes of `path`, or 304, 206, 416 as the request's headers ask.
Response file_response(const Request& request, const fs::path& path, std::uint64_t size, const std::string& etag) {
  Response response;
  add_isolation(response);
  response.headers.emplace_back("ETag", etag);
  response.headers.emplace_back("Accept-Ranges", "bytes");
  if (request.header("if-none-match") == etag) {
    response.status = 304;
    return response;
  }
  const std::string_view if_range = request.header("if-range");
  const bool is_current = if_range.empty() || if_range == etag;
  const ByteRange range = parse_range(is_current ? request.header("range") : std::string_view{}, size);
  if (range.kind == ByteRange::Kind::kUnsatisfiable) {
    response.status = 416;
    response.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
    return response;
  }
  if (range.kind == ByteRange::Kind::kPart) {
    response.status = 206;
    response.headers.emplace_back("Content-Range",
                                  fmt::format("bytes {}-{}/{}", range.offset, range.offset + range.length - 1, size));
  }
  response.file = FileSlice{path, range.offset, range.length};
  return response;
}

// Below the folder, no hidden file, no way out of it.
bool is_plain_path(std::string_view path) {
  std::size_t start = 0;
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    if (end == start || path[start] == '.') {
      return false;
    }
    start = end + 1;
  }
  return !path.contains('\\') && !path.contains('\0');
}

asio::awaitable<Response> page(Exchange&) {
  Response response;
  response.content_type = "text/html; charset=utf-8";
  response.headers.emplace_back("Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
  response.body = kPage;
  co_return response;
}

asio::awaitable<Response> to_agent(Exchange& exchange) {
  Response response;
  response.status = 308;
  response.headers.emplace_back("Location",
                                exchange.request.query.empty() ? "/agent/" : "/agent/?" + exchange.request.query);
  co_return response;
}

asio::awaitable<Response> agent_file(const fs::path& folder, std::string_view index, Exchange& exchange) {
  std::string_view name = exchange.request.capture("file");
  name = name.empty() ? index : name;
  const fs::path path = folder / name;
  struct stat status{};
  if (!is_plain_path(name) || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    co_return not_found();
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const std::string etag = fmt::format("\"{:x}-{:x}-{:x}\"", size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  Response response = file_response(exchange.request, path, size, etag);
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.content_type = "application/octet-stream";
  for (const auto& [extension, type] : kTypes) {
    if (name.ends_with(extension)) {
      response.content_type = type;
    }
  }
  co_return response;
}

asio::awaitable<Response> model_blob(Services& services, Exchange& exchange) {
  const models::SnapshotPtr snapshot = services.models();
  const models::Blob* blob = snapshot->blob(exchange.request.capture("sha256"));
  std::error_code error;
  if (blob == nullptr || fs::file_size(blob->path, error) != blob->size || error) {
    co_return not_found();
  }
  Response response = file_response(exchange.request, blob->path, blob->size, "\"" + blob->sha256 + "\"");
  response.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
  response.content_type = "application/octet-stream";
  co_return response;
}

void add_playground_route(Router& router, Services& services, const fs::path& agent_dir) {
  router.add("GET", "/playground",
             {.handler = [agent_dir](Exchange& exchange) { return agent_file(agent_dir, "playground.html", exchange); },
              .body_limit = services.limits.control_body_bytes,
              .errors = ErrorStyle::kKserve,
              .guarded = true,
              .scope = auth::Scope::kPublic});
}

}  // namespace

void add_agent_routes(Router& router, Services& services, const fs::path& agent_dir) {
  router.add("GET", "/",
             {.handler = page,
              .body_limit = services.limits.control_body_bytes,
              .errors = ErrorStyle::kKserve,
              .guarded = false,
              .scope = auth::Scope::kPublic});
  add_agent_files(router, services, agent_dir);
  add_playground_route(router, services, agent_dir);
}

void add_agent_files(Router& router, Services& services, const fs::path& agent_dir) {
  const auto add = [&](std::string_view pattern, Handler handler) {
    router.add("GET", pattern,
               {.handler = std::move(handler),
                .body_limit = services.limits.control_body_bytes,
                .errors = ErrorStyle::kKserve,
                .guarded = true,
                .scope = auth::Scope::kPublic});
  };
  const auto file = [agent_dir](Exchange& exchange) { return agent_file(agent_dir, "index.html", exchange); };
  add("/agent", to_agent);
  add("/agent/", file);
  add("/agent/{file...}", file);
  add("/agent/blobs/{sha256}", [&services](Exchange& exchange) { return model_blob(services, exchange); });
}

void add_join_routes(Router& router, Services& services, const fs::path& agent_dir) {
  router.add("GET", "/join",
             {.handler = [agent_dir](Exchange& exchange) { return agent_file(agent_dir, "join.html", exchange); },
              .body_limit = services.limits.control_body_bytes,
              .errors = ErrorStyle::kKserve,
              .guarded = true,
              .scope = auth::Scope::kPublic});
}

}  // namespace shoal::api::http
