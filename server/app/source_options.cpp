#include "server/app/source_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>

#include "server/app/tables.hpp"
#include "server/config/value.hpp"
#include "server/core/split.hpp"
#include "server/fetch/address.hpp"

namespace shoal::app {
namespace {

// Of the file that was named, else HF_TOKEN.
Result<std::string> token_of(const std::string& file) {
  if (file.empty()) {
    const char* value = std::getenv("HF_TOKEN");
    return value == nullptr ? std::string() : std::string(value);
  }
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line) || trimmed(line).empty()) {
    return fail(Code::kInvalidArgument, fmt::format("--token-file: '{}' has no token in its first line", file),
                "token-file");
  }
  return std::string(trimmed(line));
}

// A line that is written over, twice a megabyte at most.
class DownloadLine {
 public:
  void show(std::string_view file, std::uint64_t done, std::uint64_t total) {
    if (!is_shown_ || done / kStep == shown_) {
      return;
    }
    shown_ = done / kStep;
    fmt::print(stderr, "\r\x1b[K{}{}  {:.60}", bytes_text(done), total == 0 ? "" : " of " + bytes_text(total), file);
    std::fflush(stderr);
  }
  void end() const {
    if (shown_ != kNever) {
      fmt::print(stderr, "\r\x1b[K");
    }
  }

 private:
  static constexpr std::uint64_t kStep = std::uint64_t{1} << 19;
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  bool is_shown_ = ::isatty(STDERR_FILENO) == 1;
  std::uint64_t shown_ = kNever;
};

}  // namespace

void SourceOptions::add_to(CLI::App& command) {
  command.add_option("--endpoint", endpoint_, "The hub of hf: sources (https://HOST)")
      ->envname("HF_ENDPOINT")
      ->capture_default_str();
  command.add_option("--token-file", token_file_, "File with the hub's token; default: the environment's HF_TOKEN");
  command.add_option("--allow-host", allowed_hosts_, "A further host that downloads may be led to (HOST or *.DOMAIN)");
  command.add_option("--max-download", most_bytes_, "Bytes of a model's files at most")->capture_default_str();
}

Result<fetch::Fetched> SourceOptions::local(const std::string& source, bool is_heads_only) const {
  if (!fetch::is_address(source)) {
    return fetch::Fetched{.path = source, .name = {}};
  }
  auto token = token_of(token_file_);
  const auto most = config::parse_bytes(most_bytes_);
  if (!token || !most) {
    return fail(token ? Error(most.error()).with("--max-download") : token.error());
  }
  DownloadLine line;
  auto made = fetch::fetch(source, {.folder = home_ / "downloads",
                                    .endpoint = endpoint_,
                                    .token = *std::move(token),
                                    .allowed_hosts = allowed_hosts_,
                                    .most_bytes = *most,
                                    .is_heads_only = is_heads_only,
                                    .on_progress = [&](std::string_view file, std::uint64_t done, std::uint64_t total) {
                                      line.show(file, done, total);
                                    }});
  line.end();
  return made;
}

}  // namespace shoal::app
