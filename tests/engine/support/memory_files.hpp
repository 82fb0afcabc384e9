// A directory that a test writes: files in memory, and safetensors files of small tensors.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "engine/import/checkpoint.hpp"

namespace shoal::test {

class MemoryFiles final : public import::Files {
 public:
  void add(std::string name, std::string text) { files_.insert_or_assign(std::move(name), std::move(text)); }

  Result<Bytes> read(std::string_view name) override {
    const auto found = files_.find(name);
    if (found == files_.end()) {
      return fail(Code::kNotFound, "there is no " + std::string(name));
    }
    return as_bytes(found->second);
  }

 private:
  std::map<std::string, std::string, std::less<>> files_;
};

struct SmallTensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::vector<float> values;
};

// All of them as F32, in this order.
inline std::string safetensors_of(const std::vector<SmallTensor>& tensors) {
  std::string header = "{";
  std::string data;
  for (const SmallTensor& tensor : tensors) {
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
    header += (header.size() == 1 ? "\"" : ",\"") + tensor.name + "\":{\"dtype\":\"F32\",\"shape\":[";
    for (std::size_t index = 0; index < tensor.shape.size(); ++index) {
      header += (index == 0 ? "" : ",") + std::to_string(tensor.shape[index]);
    }
    header += "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
  }
  header += "}";
  const std::uint64_t size = header.size();
  std::string file(sizeof(size), '\0');
  std::memcpy(file.data(), &size, sizeof(size));
  return file + header + data;
}

}  // namespace shoal::test
