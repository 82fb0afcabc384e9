#include "server/fetch/host_rules.hpp"

#include <gtest/gtest.h>

namespace shoal::fetch {
namespace {

TEST(HostRules, OnlyWhatIsAllowed) {
  std::vector<std::string> hosts = default_hosts();
  hosts.emplace_back("Mirror.example.org");
  const HostRules rules(hosts);
  EXPECT_TRUE(rules.check("https://huggingface.co/x"));
  EXPECT_TRUE(rules.check("https://cdn-lfs.huggingface.co/x"));
  EXPECT_TRUE(rules.check("https://cas-bridge.xethub.hf.co/x?y=z"));
  EXPECT_TRUE(rules.check("https://MIRROR.example.org:8443/x"));
  for (const char* url : {"https://huggingface.co.example.org/x", "https://nothuggingface.co/x", "https://.hf.co/x",
                          "https://169.254.169.254/latest", "https://127.0.0.1/x", "https://example.org/huggingface.co",
                          "https://huggingface.co@example.org/x", "https://example.org#huggingface.co"}) {
    const auto checked = rules.check(url);
    EXPECT_FALSE(checked) << url;
  }
}

TEST(HostRules, ARefusalSaysHowToAllowIt) {
  const auto checked = HostRules({}).check("https://example.org/x");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Code::kPermissionDenied);
  EXPECT_TRUE(checked.error().message.contains("--allow-host example.org")) << checked.error().message;
}

TEST(HostRules, WithoutTlsOnThisMachineOnly) {
  const HostRules rules({"example.org", "127.0.0.1"});
  EXPECT_TRUE(rules.check("http://127.0.0.1:8000/x"));
  EXPECT_FALSE(rules.check("http://example.org/x"));
  EXPECT_FALSE(rules.check("ftp://example.org/x"));
  EXPECT_FALSE(rules.check("file:///etc/passwd"));
}

}  // namespace
}  // namespace shoal::fetch
