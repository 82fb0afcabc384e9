// What the TLS ports show: the operator's certificate, or one of the server's own authority.
#pragma once

#include "engine/core/result.hpp"
#include "server/api/grpc/server.hpp"
#include "server/app/settings.hpp"
#include "server/net/certificate.hpp"

namespace shoal::app {

// kInternal when none can be made. Blocks; called at start.
Result<net::CertificateFiles> certificate_of(const Settings& settings);
// The gRPC port by TLS with what is in these files and in that of tls.client_authority. kInvalidArgument naming the one
// that cannot be read.
Result<api::grpc::TlsPort> grpc_port_of(const Settings& settings, const net::CertificateFiles& files);

}  // namespace shoal::app
