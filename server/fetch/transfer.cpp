#include "server/fetch/transfer.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "server/core/split.hpp"

namespace shoal::fetch {
namespace {

constexpr int kMostRedirects = 5;
constexpr long kConnectMs = 20'000;

struct Body {
  const Take& take;
  CURL* handle;
  std::string etag{};
};

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* user) {
  const auto& body = *static_cast<Body*>(user);
  long status = 0;
  curl_easy_getinfo(body.handle, CURLINFO_RESPONSE_CODE, &status);
  const bool is_wanted = status == 200 || status == 206;
  return !is_wanted || body.take({.status = status, .etag = body.etag}, {bytes, size * count}) ? size * count : 0;
}

std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* user) {
  constexpr std::string_view kEtag = "etag:";
  auto& body = *static_cast<Body*>(user);
  const std::string_view line(bytes, size * count);
  const bool is_etag = line.size() > kEtag.size() &&
                       std::ranges::equal(line.substr(0, kEtag.size()), kEtag, {},
                                          [](unsigned char each) { return static_cast<char>(std::tolower(each)); });
  if (is_etag && line.size() < 512) {
    const std::string_view value = line.substr(kEtag.size());
    body.etag = trimmed(value.substr(0, value.find_first_of("\r\n")));
  }
  return size * count;
}

struct Round {
  Reply reply;
  std::string redirect;  // empty: it is the last
};

Round round(const Ask& ask, const std::string& url, const Url& place, const Access& access, const Take& take) {
  static const bool is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(is_ready ? curl_easy_init() : nullptr,
                                                                 curl_easy_cleanup);
  if (easy == nullptr) {
    return {.reply = {.error = "libcurl does not start"}, .redirect = {}};
  }
  CURL* const handle = easy.get();
  Body body{.take = take, .handle = handle};
  char words[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, place.scheme.c_str());
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "shoal");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, std::max<long>(1, static_cast<long>(access.stall.count() / 1000)));
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, words);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &body);
  curl_slist* headers = nullptr;
  if (!access.token.empty() && place.origin() == access.token_origin) {
    headers = curl_slist_append(headers, fmt::format("Authorization: Bearer {}", access.token).c_str());
  }
  std::string range;
  if (ask.first > 0 || ask.count > 0) {
    range = ask.count == 0 ? fmt::format("{}-", ask.first) : fmt::format("{}-{}", ask.first, ask.first + ask.count - 1);
    curl_easy_setopt(handle, CURLOPT_RANGE, range.c_str());
    if (!ask.if_range.empty()) {
      headers = curl_slist_append(headers, fmt::format("If-Range: {}", ask.if_range).c_str());
    }
  }
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  const CURLcode code = curl_easy_perform(handle);
  curl_slist_free_all(headers);
  Round out;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &out.reply.status);
  if (code != CURLE_OK) {
    out.reply.error = words[0] != '\0' ? words : curl_easy_strerror(code);
  }
  char* next = nullptr;
  if (curl_easy_getinfo(handle, CURLINFO_REDIRECT_URL, &next) == CURLE_OK && next != nullptr) {
    out.redirect = next;
  }
  return out;
}

}  // namespace

Result<Reply> transfer(const Ask& ask, const Access& access, const Take& take) {
  std::string url = ask.url;
  for (int redirects = 0;; ++redirects) {
    const auto place = access.rules.check(url);
    if (!place) {
      return fail(place.error());
    }
    Round made = round(ask, url, *place, access, take);
    if (made.redirect.empty() || redirects == kMostRedirects) {
      return std::move(made.reply);
    }
    url = std::move(made.redirect);
  }
}

std::unexpected<Error> refusal(const std::string& url, const Reply& reply) {
  const auto say = [&](Code code, std::string_view what) {
    return fail(code, fmt::format("{}: {}", url, what), "source");
  };
  switch (reply.status) {
    case 401:
      return say(Code::kUnauthenticated,
                 "it is there for whoever has a token (or not at all): set HF_TOKEN or --token-file");
    case 403:
      return say(Code::kPermissionDenied, "this token may not read it: its terms may have to be accepted first");
    case 404:
      return say(Code::kNotFound, "there is no such file, repository or revision");
    default:
      return say(Code::kUnavailable,
                 reply.error.empty() ? fmt::format("the server answers with status {}", reply.status) : reply.error);
  }
}

Result<std::string> get_text(const std::string& url, const Access& access, std::size_t most) {
  for (int attempt = 1;; ++attempt) {
    std::string text;
    bool is_long = false;
    const auto reply = transfer({.url = url}, access, [&](const Head&, std::string_view bytes) {
      is_long = text.size() + bytes.size() > most;
      text += bytes;
      return !is_long;
    });
    if (!reply) {
      return fail(reply.error());
    }
    if (is_long) {
      return fail(Code::kResourceLimit, fmt::format("{}: more than {} bytes", url, most), "source");
    }
    if (reply->is_done()) {
      return text;
    }
    if (!reply->is_passing() || attempt >= access.attempts) {
      return refusal(url, *reply);
    }
    wait_before(attempt + 1);
  }
}

void wait_before(int attempt) {
  std::this_thread::sleep_for(std::chrono::milliseconds(250) * (1 << std::clamp(attempt - 2, 0, 6)));
}

}  // namespace shoal::fetch
