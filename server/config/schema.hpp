// The settings of the server as a list: name, default, help, and how a text becomes the value. The same list reads the
// file, the environment and the flags, and prints the reference page. Plain values; main thread at start.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::config {

struct Setting {
  std::string name;      // "section.key"; flag --section-key, environment SHOAL_SECTION_KEY
  std::string fallback;  // the default, as text; "" = none
  std::string allowed;   // "1 to 65535", "auto, hardware, software": what an error says was expected
  std::string help;
  // Parses and stores. The message of a failure says what was expected; the caller adds where the text came from.
  std::function<Status(std::string_view)> apply;
};

class Schema {
 public:
  void add(Setting setting);
  [[nodiscard]] const Setting* find(std::string_view name) const;
  [[nodiscard]] const std::vector<Setting>& settings() const { return settings_; }

 private:
  std::vector<Setting> settings_;
};

std::string flag_of(const Setting& setting);         // "--server-http-port"
std::string environment_of(const Setting& setting);  // "SHOAL_SERVER_HTTP_PORT"

// The reference of all settings as a Markdown table.
std::string reference(const Schema& schema);

}  // namespace shoal::config
