// Which versions of which models are served, and which are on their way out: those that were replaced or unloaded stay
// until the last request that holds them has been answered. Values in, snapshots out; no I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/models/model.hpp"

namespace shoal::dispatch {

class ServedModels {
 public:
  using Versions = std::vector<models::ModelPtr>;

  // In place of all versions of the model that there were. Without any the model is not known any more.
  void set(const std::string& name, const Versions& versions);
  // Its versions are known as unloaded. kNotFound when there is no such model.
  Status unload(const std::string& name);
  // Models of the repository that nobody has asked for, in place of those that were known so.
  void set_unasked(const std::vector<std::string>& names);

  // Files that browsers may fetch ahead of their models; empty: none.
  void stage(std::vector<models::Blob> blobs) { staged_ = std::move(blobs); }

  // Forgets the versions that nobody holds any more. What the names of their graphs begin with, where no version that
  // is still there has the same files.
  std::vector<std::string> collect();
  [[nodiscard]] bool is_retiring() const { return !retiring_.empty(); }
  [[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> retiring() const;  // name, version

  // Whether a version that is served, or on its way out, has graphs of this name.
  [[nodiscard]] bool has_graphs(const std::string& prefix) const;
  [[nodiscard]] bool serves(std::string_view name) const;
  [[nodiscard]] models::SnapshotPtr snapshot() const;

 private:
  struct Retiring {
    std::string name;
    std::int64_t version = 0;
    std::string prefix;
    std::vector<models::Blob> blobs;
    std::weak_ptr<const models::ModelVersion> model;
  };
  void retire(const models::ModelPtr& model);

  decltype(models::Snapshot::models) models_;
  std::vector<Retiring> retiring_;
  std::vector<models::Blob> staged_;
};

}  // namespace shoal::dispatch
