// A tokenizer for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "server/text/tokenizer.hpp"

namespace shoal::text {

// The printable stand-in that byte-level tokenizers have for a byte.
inline std::string stand_in(unsigned byte) {
  const auto is_itself = [](unsigned one) {
    return (one >= 33 && one <= 126) || (one >= 161 && one <= 172) || (one >= 174 && one <= 255);
  };
  unsigned point = byte;
  if (!is_itself(byte)) {
    point = 256;
    for (unsigned one = 0; one < byte; ++one) {
      point += is_itself(one) ? 0 : 1;
    }
  }
  if (point < 0x80) {
    return {static_cast<char>(point)};
  }
  return {static_cast<char>(0xC0 | point >> 6), static_cast<char>(0x80 | (point & 0x3F))};
}

// Of a token for each byte, ids as the bytes; 256 is a special token.
inline nlohmann::json bytes_tokenizer_file() {
  nlohmann::json vocabulary;
  for (unsigned byte = 0; byte < 256; ++byte) {
    vocabulary[stand_in(byte)] = byte;
  }
  vocabulary["<end>"] = 256;
  return {{"version", "1.0"},
          {"added_tokens",
           {{{"id", 256},
             {"content", "<end>"},
             {"single_word", false},
             {"lstrip", false},
             {"rstrip", false},
             {"normalized", false},
             {"special", true}}}},
          {"pre_tokenizer",
           {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}}},
          {"decoder", {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", nlohmann::json::array()}}}};
}

inline std::shared_ptr<const Tokenizer> bytes_tokenizer(const nlohmann::json& file = bytes_tokenizer_file()) {
  const auto tokenizer = Tokenizer::load(as_bytes(file.dump()));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return *tokenizer;
}

}  // namespace shoal::text
