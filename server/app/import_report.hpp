// What `shoal import` says while it works and at the end.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/package/writer.hpp"
#include "server/app/import_package.hpp"

namespace shoal::app {

// One line on stderr that is written over; nothing where that is no terminal.
class ProgressLine {
 public:
  explicit ProgressLine(bool is_shown) : is_shown_(is_shown) {}
  void show(const package::Progress& progress);
  void end();

 private:
  bool is_shown_;
  int percent_ = -1;
};

std::string import_text(const Imported& made);
nlohmann::json import_json(const Imported& made);

}  // namespace shoal::app
