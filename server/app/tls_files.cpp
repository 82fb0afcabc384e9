#include "server/app/tls_files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/private_file.hpp"
#include "server/core/split.hpp"

namespace shoal::app {
namespace {

constexpr std::string_view kScheme = "https://";
constexpr std::uintmax_t kMaxPemBytes = std::uintmax_t{1} << 20;

// "example.org" of "https://example.org:8443", "::1" of "https://[::1]:8443".
std::string host_of(const std::string& url) {
  std::string host = url.substr(std::min(url.size(), kScheme.size()));
  if (host.starts_with('[')) {
    return host.substr(1, host.find(']') - 1);
  }
  return host.substr(0, host.find(':'));
}

// Under which clients and devices know this machine.
std::vector<std::string> certificate_names(const Settings& settings) {
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
  std::vector<std::string> candidates = {host_of(settings.join_url)};
  for (const std::string_view host : split(settings.public_hosts, ',')) {
    candidates.push_back(host_of(std::string(kScheme) + std::string(host)));
  }
  std::array<char, 256> machine{};
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";
  if (::gethostname(machine.data(), machine.size() - 1) == 0) {
    candidates.emplace_back(machine.data());
  }
  for (std::string& name : candidates) {
    const bool is_plain = name.find(':') != std::string::npos || name.find_first_not_of(kPlain) == std::string::npos;
    if (!name.empty() && is_plain && std::ranges::count(names, name) == 0) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

}  // namespace

Result<net::CertificateFiles> certificate_of(const Settings& settings) {
  if (!settings.tls_certificate.empty()) {
    return net::CertificateFiles{.chain = settings.tls_certificate, .key = settings.tls_key, .authority = {}};
  }
  return net::own_certificate(std::filesystem::path(settings.home) / "tls", certificate_names(settings),
                              std::chrono::system_clock::now());
}

Result<api::grpc::TlsPort> grpc_port_of(const Settings& settings, const net::CertificateFiles& files) {
  api::grpc::TlsPort port{
      .address = settings.tls_host, .port = settings.tls_grpc_port, .chain = {}, .key = {}, .client_authority = {}};
  const auto read = [](const std::filesystem::path& file, const char* setting, std::string& into) -> Status {
    const auto text = read_private_file(file, kMaxPemBytes);
    if (!text || !*text) {
      return fail(Code::kInvalidArgument, fmt::format("{}: cannot read {}", setting, file.string()), setting);
    }
    into = **text;
    return {};
  };
  Status status = read(files.chain, "tls.certificate", port.chain);
  if (status) {
    status = read(files.key, "tls.key", port.key);
  }
  if (status && !settings.tls_client_authority.empty()) {
    status = read(settings.tls_client_authority, "tls.client_authority", port.client_authority);
  }
  return status ? Result<api::grpc::TlsPort>(std::move(port)) : fail(std::move(status.error()));
}

}  // namespace shoal::app
