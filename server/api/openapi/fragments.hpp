// The JSON files of this folder, as they are; the first is the base of the others.
#pragma once

#include <array>
#include <string_view>

namespace shoal::api::openapi {

extern const std::array<std::string_view, 10> kFragments;

}  // namespace shoal::api::openapi
