// Where a model can run: inside a browser, or in the server's own echo, which computes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace shoal {

enum class Backend : std::uint8_t { kWasm, kWebgpu, kWebnn, kEcho };
// Those of browsers.
inline constexpr std::array<Backend, 3> kBackends = {Backend::kWasm, Backend::kWebgpu, Backend::kWebnn};

constexpr std::string_view backend_name(Backend backend) {
  constexpr std::array<std::string_view, 4> kNames = {"wasm", "webgpu", "webnn", "echo"};
  return kNames[static_cast<std::size_t>(backend)];
}

// One of browsers by its name.
constexpr std::optional<Backend> backend_from(std::string_view name) {
  for (const Backend backend : kBackends) {
    if (backend_name(backend) == name) {
      return backend;
    }
  }
  return std::nullopt;
}

}  // namespace shoal
