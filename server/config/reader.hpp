// Fills a Schema from file, environment and flags; a flag wins over the environment, the environment over the file. An
// unknown key, a wrong value or an unreadable file is an error that names where it stands ("shoal.yaml: pool.adapter:
// expected ..."); nothing is ignored. Main thread at start.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/config/schema.hpp"

namespace shoal::config {

struct Sources {
  std::string file_name;  // for messages; empty = no file
  std::string file_text;  // YAML: sections of scalar keys; a list of maps becomes "a=1,b=2;a=3" (see pool.browsers)
  std::map<std::string, std::string> environment;          // all variables; only SHOAL_* are looked at
  std::vector<std::pair<std::string, std::string>> flags;  // setting name, text
};

// Variables SHOAL_HOME and SHOAL_FIXTURES are the tools' own and never settings.
Status read(const Schema& schema, const Sources& sources);

}  // namespace shoal::config
