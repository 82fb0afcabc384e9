#include "server/api/http/errors.hpp"

#include "server/core/error_table.hpp"
#include "server/wire/kserve_json.hpp"
#include "server/wire/utf8.hpp"

namespace shoal::api::http {
namespace {

// Error messages quote what the client sent, which need not be UTF-8 on every path.
std::string printable(std::string_view text) {
  std::string out;
  for (const char character : text) {
    out.push_back(static_cast<unsigned char>(character) < 0x80 ? character : '?');
  }
  return out;
}

void append_text_or_null(std::string& out, std::string_view text) {
  if (text.empty()) {
    out += "null";
  } else {
    wire::append_json_string(out, text);
  }
}

}  // namespace

Response error_response(ErrorStyle style, unsigned status, const Error& error) {
  const ErrorRow& row = error_row(error.code);
  const std::string message = wire::is_utf8(error.message) ? error.message : printable(error.message);
  const std::string param = wire::is_utf8(error.param) ? error.param : printable(error.param);
  Response response;
  response.status = status;
  response.content_type = "application/json";
  std::string& out = response.body;
  if (style == ErrorStyle::kOpenai) {
    out = R"({"error":{"message":)";
    wire::append_json_string(out, message);
    out += R"(,"type":)";
    wire::append_json_string(out, row.openai_type);
    out += R"(,"param":)";
    append_text_or_null(out, param);
    out += R"(,"code":)";
    append_text_or_null(out, row.openai_code);
    out += "}}";
  } else {
    out = R"({"error":)";
    wire::append_json_string(out, message.empty() ? code_name(error.code) : std::string_view(message));
    out += R"(,"code":)";
    wire::append_json_string(out, code_name(error.code));
    out += "}";
  }
  if (error.code == Code::kUnauthenticated) {
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
  }
  if (row.retry_after) {
    response.headers.emplace_back("Retry-After", "1");
  }
  return response;
}

Response error_response(ErrorStyle style, const Error& error) {
  const ErrorRow& row = error_row(error.code);
  return error_response(style, static_cast<unsigned>(style == ErrorStyle::kOpenai ? row.openai_http : row.kserve_http),
                        error);
}

}  // namespace shoal::api::http
