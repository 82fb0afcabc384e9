// A package's folder while it is written. Files appear by a rename, each whole; what was begun and not kept goes away.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"
#include "engine/package/writer.hpp"

namespace shoal::models {

class PackageFolder final : public package::Output {
 public:
  // A folder that is there, to which files are added.
  static Result<std::unique_ptr<PackageFolder>> open(const std::filesystem::path& folder);
  // A folder that is not there: it is made under another name beside `repository`'s models and gets its own by keep().
  static Result<std::unique_ptr<PackageFolder>> create(const std::filesystem::path& repository,
                                                       const std::string& model, std::int64_t version);
  // Without keep() the files that were written go, and a folder that was made.
  ~PackageFolder() override;

  Result<std::string> write(Bytes contents, std::string_view suffix) override;
  // Replaces a file of this name.
  Status put(const std::string& name, std::string_view contents);
  // kInternal when the folder cannot get its name, for example because it is there by now.
  Status keep();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }  // after keep() the folder's own

 private:
  PackageFolder() = default;
  Status write_file(const std::string& name, Bytes contents);

  std::filesystem::path path_;     // where files are written
  std::filesystem::path target_;   // empty: the same
  std::filesystem::path staging_;  // what is removed with everything in it
  std::vector<std::filesystem::path> written_;
  bool is_kept_ = false;
};

}  // namespace shoal::models
