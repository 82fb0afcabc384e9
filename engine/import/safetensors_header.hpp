// The JSON header of a safetensors file, read strictly: exactly the keys of the format, no key twice. What the numbers
// mean for the data is checked in safetensors.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::import {

struct HeaderEntry {
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, HeaderEntry, std::less<>> entries;
  std::map<std::string, std::string, std::less<>> metadata;
};

Result<SafetensorsHeader> parse_safetensors_header(std::string_view json);

}  // namespace shoal::import
