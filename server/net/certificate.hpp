// The server's own certificate authority, for where nobody else vouches for it: a CA made once, and a certificate for
// the names under which this machine is reached, made again when it nears its end or the names change. ECDSA P-256.
// Files of the folder: ca.pem, ca.key, server.pem, server.key; keys have mode 0600. Blocks; called at start.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/core/result.hpp"

namespace shoal::net {

struct CertificateFiles {
  std::filesystem::path chain;  // the server's certificate and what vouches for it
  std::filesystem::path key;
  std::filesystem::path authority;  // ca.pem; empty when the certificate is the operator's
};

// `names`: host names and IP addresses. kInternal with OpenSSL's or the system's words.
Result<CertificateFiles> own_certificate(const std::filesystem::path& folder, const std::vector<std::string>& names,
                                         std::chrono::system_clock::time_point now);

}  // namespace shoal::net
