// A model's folder as the engine reads it: each file mapped into memory, so that weights are read where they lie and
// the system may drop them again.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "engine/import/checkpoint.hpp"

namespace shoal::app {

class MappedFolder final : public import::Files {
 public:
  explicit MappedFolder(std::filesystem::path path) : path_(std::move(path)) {}
  ~MappedFolder() override;

  // kNotFound when there is no such file, kInvalidArgument for a name with a slash, kInternal when it cannot be mapped.
  Result<Bytes> read(std::string_view name) override;

  // What was read so far, by name.
  [[nodiscard]] const std::map<std::string, Bytes, std::less<>>& files() const { return files_; }
  // Lets the system take back the memory of what was read; it is read from the disk again when it is needed.
  void forget() const;

 private:
  std::filesystem::path path_;
  std::map<std::string, Bytes, std::less<>> files_;
};

}  // namespace shoal::app
