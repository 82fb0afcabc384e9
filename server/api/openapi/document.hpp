// The server's OpenAPI 3.1 description: the fragments of this folder as one document. What every route may answer
// whatever it does (a header that is too long, a key that is missing) is added here, so that the fragments say only
// what is a route's own. Pure.
#pragma once

#include <string>
#include <string_view>

namespace shoal::api::openapi {

// `version`: of the server.
std::string document(std::string_view version);

}  // namespace shoal::api::openapi
