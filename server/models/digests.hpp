// SHA-256 of files, each computed once: remembered by path, size and modification time in <store>/digests.json, so that
// a second start does not read the weights again. A lost or broken digests.json only costs time. Not thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "engine/core/result.hpp"
#include "server/models/model.hpp"

namespace shoal::models {

class Digests {
 public:
  explicit Digests(std::filesystem::path store);

  // kNotFound when there is no such regular file, kInternal when it cannot be read.
  Result<Blob> digest(const std::filesystem::path& file);

  // Writes what is new since loading, by rename. Failing is an error value that the caller may log and ignore.
  Status save();

 private:
  struct Entry {
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;
    std::string sha256;
  };
  void load();

  std::filesystem::path file_;  // empty: nothing is kept
  std::map<std::string, Entry> entries_;
  bool is_dirty_ = false;
};

}  // namespace shoal::models
