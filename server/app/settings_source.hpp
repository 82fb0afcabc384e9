// Where the settings of `shoal serve` come from: file, environment and flags, in this order of precedence. Kept by the
// running server, which can read them again. Calling thread; blocks on the file.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/result.hpp"
#include "server/config/schema.hpp"

namespace shoal::app {

class SettingsSource {
 public:
  // `file`: of --config; empty: SHOAL_CONFIG, else ./shoal.yaml where it exists.
  SettingsSource(std::string file, std::vector<std::pair<std::string, std::string>> flags)
      : file_(std::move(file)), flags_(std::move(flags)) {}

  // Into what `schema` stores. Errors are those of config::read; kNotFound when there is no such file.
  [[nodiscard]] Status read(const config::Schema& schema) const;
  // The same; the texts that the values were made of, by the settings' names.
  [[nodiscard]] Result<std::map<std::string, std::string>> read_texts(const config::Schema& schema) const;

 private:
  std::string file_;
  std::vector<std::pair<std::string, std::string>> flags_;
};

}  // namespace shoal::app
