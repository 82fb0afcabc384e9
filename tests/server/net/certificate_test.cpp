#include "server/net/certificate.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace shoal::net {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class CertificateTest : public ::testing::Test {
 protected:
  fs::path folder = fs::temp_directory_path() / ("shoal-tls-" + std::to_string(getpid()));
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
  std::vector<std::string> names = {"localhost", "127.0.0.1", "shoal.example", "::1"};
  ~CertificateTest() override { fs::remove_all(folder); }

  static std::string text(const fs::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  // Of `openssl`, which judges what was made.
  int openssl(const std::string& words) const {
    return std::system(("cd " + folder.string() + " && openssl " + words + " > /dev/null 2>&1").c_str());
  }
};

TEST_F(CertificateTest, IsMadeOnceAndVerifies) {
  const auto files = own_certificate(folder, names, now);
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(openssl("verify -x509_strict -CAfile ca.pem -verify_hostname shoal.example server.pem"), 0);
  EXPECT_EQ(openssl("verify -x509_strict -CAfile ca.pem -verify_ip 127.0.0.1 server.pem"), 0);
  EXPECT_NE(openssl("verify -x509_strict -CAfile ca.pem -verify_hostname evil.example server.pem"), 0);
  for (const char* key : {"ca.key", "server.key"}) {
    struct stat status{};
    ASSERT_EQ(::stat((folder / key).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << key;
  }
  const std::string chain = text(files->chain);
  ASSERT_TRUE(own_certificate(folder, names, now + 24h));
  EXPECT_EQ(text(files->chain), chain) << "a restart changes nothing";
}

TEST_F(CertificateTest, IsRenewedNearItsEndAndForOtherNamesByTheSameAuthority) {
  const auto files = own_certificate(folder, names, now);
  ASSERT_TRUE(files);
  const std::string authority = text(files->authority);
  std::string chain = text(files->chain);
  ASSERT_TRUE(own_certificate(folder, names, now + 24h * 340));
  EXPECT_NE(text(files->chain), chain);
  chain = text(files->chain);
  names.emplace_back("another.example");
  ASSERT_TRUE(own_certificate(folder, names, now + 24h * 341));
  EXPECT_NE(text(files->chain), chain);
  EXPECT_EQ(text(files->authority), authority) << "what devices have imported stays good";
  ASSERT_TRUE(own_certificate(folder, names, now + 24h * 3400));
  EXPECT_NE(text(files->authority), authority);
}

TEST_F(CertificateTest, ADamagedFileIsReplaced) {
  const auto files = own_certificate(folder, names, now);
  ASSERT_TRUE(files);
  std::ofstream(files->key) << "nonsense";
  ASSERT_TRUE(own_certificate(folder, names, now));
  EXPECT_EQ(openssl("verify -CAfile ca.pem server.pem"), 0);
  EXPECT_NE(text(files->key), "nonsense");
}

TEST_F(CertificateTest, AFolderThatCannotBeWrittenIsTold) {
  std::ofstream(folder.string()) << "a file";
  EXPECT_EQ(own_certificate(folder, names, now).error().code, Code::kInternal);
}

}  // namespace
}  // namespace shoal::net
