#include "server/fetch/address.hpp"

#include <gtest/gtest.h>

namespace shoal::fetch {
namespace {

HubAddress hub(const std::string& text) {
  const auto address = parse_address(text);
  EXPECT_TRUE(address) << text << ": " << (address ? "" : address.error().message);
  return address && std::holds_alternative<HubAddress>(*address) ? std::get<HubAddress>(*address) : HubAddress{};
}

TEST(FetchAddress, OfAHub) {
  EXPECT_EQ(hub("hf:owner/name").repository, "owner/name");
  EXPECT_EQ(hub("hf:owner/name").revision, "main");
  EXPECT_EQ(hub("hf:owner/name").file, "");
  EXPECT_EQ(hub("hf:owner/name@v1.0").revision, "v1.0");
  EXPECT_EQ(hub("hf:owner/name@v1.0/sub/q4.gguf").file, "sub/q4.gguf");
  EXPECT_EQ(hub("hf:owner/name/q4.gguf").file, "q4.gguf");
  EXPECT_EQ(hub("hf:owner/name/q4.gguf").revision, "main");
}

TEST(FetchAddress, OfOneFile) {
  const auto address = parse_address("https://Example.org:8443/a/b.gguf?download=true");
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(std::get<UrlAddress>(*address).file, "b.gguf");
  EXPECT_TRUE(parse_address("http://127.0.0.1:80/b.gguf"));
  EXPECT_TRUE(parse_address("http://[::1]/b.gguf"));
}

TEST(FetchAddress, ASecretIsForOneOrigin) {
  EXPECT_EQ(parse_url("https://Host/x")->origin(), "https://host:443");
  EXPECT_EQ(parse_url("http://host:8000")->origin(), "http://host:8000");
}

TEST(FetchAddress, WhatIsWrongIsTold) {
  for (const char* text : {"hf:",
                           "hf:name",
                           "hf:/name",
                           "hf:owner/",
                           "hf:owner/..",
                           "hf:.owner/name",
                           "hf:owner/name@",
                           "hf:owner/name@a b",
                           "hf:owner/name@../x.gguf",
                           "hf:owner/name/model.safetensors",
                           "hf:owner/name/../x.gguf",
                           "hf:owner/name//x.gguf",
                           "hf:owner/name/",
                           "hf:owner/name?x",
                           "https://host/model.bin",
                           "https://host/",
                           "https://",
                           "http://host/b.gguf",
                           "https://user:secret@host/b.gguf",
                           "https://host/b%2f.gguf"}) {
    const auto address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, Code::kInvalidArgument) << text;
    EXPECT_EQ(address.error().param, "source");
    EXPECT_TRUE(address.error().message.contains("expected")) << address.error().message;
  }
  EXPECT_FALSE(parse_address("hf:owner/name/" + std::string(3000, 'x') + ".gguf"));
}

TEST(FetchAddress, AllElseIsAPath) {
  EXPECT_TRUE(is_address("hf:owner/name") && is_address("https://host/x") && is_address("http://host/x"));
  EXPECT_FALSE(is_address("folder/hf:x") || is_address("model.gguf") || is_address("ftp://host/x.gguf"));
}

TEST(FetchAddress, NamesThatLeadElsewhereAreNotSafe) {
  EXPECT_TRUE(is_safe_name("a/b-1.safetensors") && is_safe_name("with space.json") && is_safe_name("..a"));
  for (const char* name :
       {"", "/a", "a/", "a//b", "..", "../a", "a/../b", ".", "a/./b", "a\\b", "a:b", "a\nb", "a%2e", "\xC3\xBC"}) {
    EXPECT_FALSE(is_safe_name(name)) << name;
  }
  EXPECT_FALSE(is_safe_name(std::string(256, 'a')));
}

TEST(FetchAddress, LoopbackIsThisMachineOnly) {
  EXPECT_TRUE(is_loopback("127.0.0.1") && is_loopback("127.8.8.8") && is_loopback("::1") && is_loopback("localhost"));
  EXPECT_FALSE(is_loopback("127.0.0.1.example.org") || is_loopback("10.0.0.1") || is_loopback("localhost.example.org"));
}

}  // namespace
}  // namespace shoal::fetch
