// Options of the commands that take a model from elsewhere: `shoal import`, `estimate` and `run`.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/fetch/fetch.hpp"

namespace shoal::app {

// "hf:owner/name[@revision][/file.gguf]" and "https://.../file.gguf" are fetched; all else is a path as it is.
class SourceOptions {
 public:
  explicit SourceOptions(std::filesystem::path home) : home_(std::move(home)) {}

  void add_to(CLI::App& command);
  // Where the source is on this machine, and what to call it. The progress of a download goes to stderr, on a terminal
  // only. Errors are those of fetch::fetch().
  [[nodiscard]] Result<fetch::Fetched> local(const std::string& source, bool is_heads_only = false) const;

 private:
  std::filesystem::path home_;
  std::string endpoint_ = "https://huggingface.co";
  std::string token_file_;
  std::vector<std::string> allowed_hosts_;
  std::string most_bytes_ = "64GiB";
};

}  // namespace shoal::app
