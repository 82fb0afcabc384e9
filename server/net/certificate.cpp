#include "server/net/certificate.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

namespace shoal::net {
namespace {

namespace fs = std::filesystem;
using SystemTime = std::chrono::system_clock::time_point;

template <auto release>
struct Releaser {
  template <class T>
  void operator()(T* pointer) const {
    release(pointer);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Releaser<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Releaser<X509_free>>;
using Bio = std::unique_ptr<BIO, Releaser<BIO_free>>;

constexpr std::chrono::hours kDay(24);
constexpr auto kAuthorityLife = kDay * 3650;
constexpr auto kServerLife = kDay * 365;
constexpr auto kRenewBefore = kDay * 30;
constexpr auto kClockSkew = std::chrono::hours(1);  // of devices whose clock is behind

std::unexpected<Error> broken(std::string_view what) {
  std::array<char, 256> words{};
  ERR_error_string_n(ERR_get_error(), words.data(), words.size());
  return fail(Code::kInternal, fmt::format("TLS certificate: {}: {}", what, words.data()));
}

bool is_address(const std::string& name) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 || inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

std::string alternative_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", is_address(name) ? "IP" : "DNS", name);
  }
  return text;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, Releaser<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

struct Recipe {
  std::string common_name;
  std::chrono::hours life;
  std::string names;  // empty: an authority
};

// Signed by `issuer_key`, or by itself when there is no issuer.
Result<Certificate> make(const Recipe& recipe, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, SystemTime now) {
  Certificate certificate(X509_new());
  std::array<unsigned char, 16> serial{};
  if (certificate == nullptr || RAND_bytes(serial.data(), static_cast<int>(serial.size())) != 1) {
    return broken("cannot begin one");
  }
  serial[0] &= 0x7fU;  // serial numbers are positive
  std::unique_ptr<BIGNUM, Releaser<BN_free>> number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  X509* raw = certificate.get();
  const auto* name = reinterpret_cast<const unsigned char*>(recipe.common_name.c_str());
  const bool is_authority = recipe.names.empty();
  X509* from = issuer == nullptr ? raw : issuer;
  const bool is_made =
      X509_set_version(raw, X509_VERSION_3) == 1 &&
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(raw)) != nullptr &&
      ASN1_TIME_set(X509_getm_notBefore(raw), std::chrono::system_clock::to_time_t(now - kClockSkew)) != nullptr &&
      ASN1_TIME_set(X509_getm_notAfter(raw), std::chrono::system_clock::to_time_t(now + recipe.life)) != nullptr &&
      X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_UTF8, name, -1, -1, 0) == 1 &&
      X509_set_issuer_name(raw, X509_get_subject_name(from)) == 1 && X509_set_pubkey(raw, key) == 1 &&
      add_extension(raw, from, NID_basic_constraints,
                    is_authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
      add_extension(raw, from, NID_key_usage,
                    is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
      add_extension(raw, from, NID_subject_key_identifier, "hash") &&
      add_extension(raw, from, NID_authority_key_identifier, "keyid:always") &&
      (is_authority || (add_extension(raw, from, NID_ext_key_usage, "serverAuth") &&
                        add_extension(raw, from, NID_subject_alt_name, recipe.names))) &&
      X509_sign(raw, issuer_key, EVP_sha256()) > 0;
  if (!is_made) {
    return broken("cannot make it for " + (is_authority ? recipe.common_name : recipe.names));
  }
  return certificate;
}

Status write_file(const fs::path& path, const std::string& text, mode_t mode) {
  const fs::path next = path.string() + ".new";
  const int file = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
  const bool is_written =
      file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  if (file >= 0) {
    ::close(file);
  }
  return is_written && ::rename(next.c_str(), path.c_str()) == 0
             ? Status()
             : fail(Code::kInternal, fmt::format("cannot write {}", path.string()));
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(std::max(0L, size))};
}

std::string pem_of(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  return PEM_write_bio_X509(bio.get(), certificate) == 1 ? text_of(bio.get()) : std::string();
}

std::string pem_of(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  return PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1 ? text_of(bio.get())
                                                                                              : std::string();
}

struct Pair {
  Certificate certificate;
  Key key;
};

std::optional<Pair> read_pair(const fs::path& certificate_file, const fs::path& key_file) {
  const Bio certificate(BIO_new_file(certificate_file.c_str(), "r"));
  const Bio key(BIO_new_file(key_file.c_str(), "r"));
  if (certificate == nullptr || key == nullptr) {
    ERR_clear_error();
    return std::nullopt;
  }
  Pair pair{Certificate(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr)),
            Key(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr))};
  const bool fits = pair.certificate != nullptr && pair.key != nullptr &&
                    X509_check_private_key(pair.certificate.get(), pair.key.get()) == 1;
  ERR_clear_error();
  return fits ? std::optional(std::move(pair)) : std::nullopt;
}

bool lasts_until(X509* certificate, SystemTime time) {
  std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  return X509_cmp_time(X509_get0_notAfter(certificate), &seconds) > 0;
}

bool covers(X509* certificate, const std::vector<std::string>& names) {
  return std::ranges::all_of(names, [&](const std::string& name) {
    return is_address(name) ? X509_check_ip_asc(certificate, name.c_str(), 0) == 1
                            : X509_check_host(certificate, name.c_str(), name.size(), 0, nullptr) == 1;
  });
}

Result<Pair> make_pair_on_disk(const Recipe& recipe, const Pair* issuer, const fs::path& certificate_file,
                               const fs::path& key_file, SystemTime now) {
  Key key(EVP_EC_gen("P-256"));
  if (key == nullptr) {
    return broken("cannot make a key");
  }
  auto certificate = make(recipe, key.get(), issuer == nullptr ? nullptr : issuer->certificate.get(),
                          issuer == nullptr ? key.get() : issuer->key.get(), now);
  if (!certificate) {
    return fail(std::move(certificate.error()));
  }
  const std::string chain = pem_of(certificate->get()) + (issuer == nullptr ? "" : pem_of(issuer->certificate.get()));
  for (Status written : {write_file(key_file, pem_of(key.get()), 0600), write_file(certificate_file, chain, 0644)}) {
    if (!written) {
      return fail(std::move(written.error()));
    }
  }
  return Pair{*std::move(certificate), std::move(key)};
}

}  // namespace

Result<CertificateFiles> own_certificate(const fs::path& folder, const std::vector<std::string>& names,
                                         SystemTime now) {
  std::error_code error;
  fs::create_directories(folder, error);
  fs::permissions(folder, fs::perms::owner_all, error);
  const fs::path authority_file = folder / "ca.pem";
  const CertificateFiles files{
      .chain = folder / "server.pem", .key = folder / "server.key", .authority = authority_file};
  std::optional<Pair> authority = read_pair(authority_file, folder / "ca.key");
  const bool is_new = !authority || !lasts_until(authority->certificate.get(), now + kServerLife);
  if (is_new) {
    auto made = make_pair_on_disk({.common_name = "Shoal local authority", .life = kAuthorityLife, .names = {}},
                                  nullptr, authority_file, folder / "ca.key", now);
    if (!made) {
      return fail(std::move(made.error()));
    }
    authority = *std::move(made);
  }
  const std::optional<Pair> server = read_pair(files.chain, files.key);
  const bool is_good = !is_new && server && lasts_until(server->certificate.get(), now + kRenewBefore) &&
                       covers(server->certificate.get(), names) &&
                       X509_verify(server->certificate.get(), authority->key.get()) == 1;
  ERR_clear_error();
  if (!is_good) {
    const auto made =
        make_pair_on_disk({.common_name = "Shoal", .life = kServerLife, .names = alternative_names(names)}, &*authority,
                          files.chain, files.key, now);
    if (!made) {
      return fail(made.error());
    }
  }
  return files;
}

}  // namespace shoal::net
