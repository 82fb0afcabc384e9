// A folder of one command alone, gone with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace shoal::app {

class ScratchFolder {
 public:
  // Below the system's folder for temporary files, with `name` in its own. path() is empty where it cannot be made.
  explicit ScratchFolder(const std::string& name)
      : path_((std::filesystem::temp_directory_path() / (name + "-XXXXXX")).string()) {
    if (mkdtemp(path_.data()) == nullptr) {
      path_.clear();
    }
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) {
      std::filesystem::remove_all(path_, ignored);
    }
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace shoal::app
