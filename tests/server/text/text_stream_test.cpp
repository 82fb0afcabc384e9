// Text from tokens: all at once, and growing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "server/text/tokenizer.hpp"
#include "tests/server/text/bytes_tokenizer.hpp"

namespace shoal::text {
namespace {

using Ids = std::vector<std::uint32_t>;

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool is_utf8(const std::string& text) {
  return !nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore).empty() &&
         nlohmann::json::accept(
             '"' + nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(1)) &&
         text ==
             nlohmann::json::parse(nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace))
                 .get<std::string>();
}

// Every prefix of the ids: what is out so far begins the text of all, and with the rest it is the text of the prefix.
void expect_pieces(const std::shared_ptr<const Tokenizer>& tokenizer, const Ids& ids) {
  const std::string whole = *tokenizer->decode(ids);
  for (std::size_t size = 0; size <= ids.size(); ++size) {
    TextStream stream(tokenizer);
    std::string out;
    for (std::size_t index = 0; index < size; ++index) {
      const auto piece = stream.add(ids[index]);
      ASSERT_TRUE(piece) << piece.error().message;
      ASSERT_TRUE(is_utf8(*piece)) << "token " << index;
      out += *piece;
    }
    ASSERT_TRUE(whole.starts_with(out)) << size << ": '" << out << "' of '" << whole << "'";
    out += *stream.finish();
    ASSERT_EQ(out, *tokenizer->decode(std::span(ids).first(size))) << size;
  }
}

TEST(Decode, IsTheWayBack) {
  const auto tokenizer = bytes_tokenizer();
  const std::string text = "Fisch \xC3\xA4 \xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x90\x9F!\n";
  const auto tokens = tokenizer->encode(text);
  ASSERT_TRUE(tokens);
  EXPECT_EQ(tokens->ids.size(), text.size());
  EXPECT_EQ(*tokenizer->decode(tokens->ids), text);
  EXPECT_EQ(*tokenizer->decode(Ids{'a', 256, 'b', 999}), "ab");
  EXPECT_EQ(*tokenizer->decode(Ids{'a', 256}, false), "a<end>");
  EXPECT_EQ(*tokenizer->decode(Ids()), "");
}

TEST(TextStream, HoldsBackWhatIsNoCharacterYet) {
  TextStream stream(bytes_tokenizer());
  EXPECT_EQ(*stream.add('a'), "a");
  EXPECT_EQ(*stream.add(0xF0), "");
  EXPECT_EQ(*stream.add(0x9F), "");
  EXPECT_EQ(*stream.add(0x90), "");
  EXPECT_EQ(*stream.add(0x9F), "\xF0\x9F\x90\x9F");
  EXPECT_EQ(*stream.add(256), "") << "special";
  EXPECT_EQ(*stream.add(0xE4), "");
  EXPECT_EQ(*stream.add('b'),
            "\xEF\xBF\xBD"
            "b")
      << "it became no character";
  EXPECT_EQ(*stream.add(0xE4), "");
  EXPECT_EQ(*stream.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(*stream.finish(), "");
  EXPECT_EQ(*stream.add('c'), "c") << "a new text";
}

TEST(TextStream, PiecesAreTheWholeText) {
  const auto tokenizer = bytes_tokenizer();
  std::uint32_t state = 1;
  const auto next = [&](std::uint32_t most) {
    state = state * 1664525U + 1013904223U;
    return (state >> 16) % most;
  };
  const std::string characters[] = {"a", " ", "\xC3\xA4", "\xE4\xBD\xA0", "\xF0\x9F\x90\x9F", "\xEF\xBF\xBD"};
  for (int round = 0; round < 40; ++round) {
    Ids any;
    Ids text;
    for (int index = 0; index < 70; ++index) {
      any.push_back(next(4) == 0 ? next(257) : 0x80 + next(128));
      for (const char byte : characters[next(6)]) {
        text.push_back(static_cast<unsigned char>(byte));
      }
    }
    expect_pieces(tokenizer, any);
    text.resize(70);
    expect_pieces(tokenizer, text);
  }
}

TEST(TextStream, PiecesAreTheWholeTextOfTheFixtures) {
  const char* fixtures = std::getenv("SHOAL_FIXTURES");
  if (fixtures == nullptr) {
    GTEST_SKIP() << "SHOAL_FIXTURES is not set: the model fixtures are not here";
  }
  for (const char* name :
       {"bloom", "falcon", "gpt2", "llama", "llama3", "opt", "qwen2", "qwen3", "t5", "gemma3_text"}) {
    const std::filesystem::path folder = std::filesystem::path(fixtures) / "models" / name;
    const auto tokenizer = Tokenizer::load(as_bytes(read(folder / "tokenizer.json")));
    ASSERT_TRUE(tokenizer) << name;
    SCOPED_TRACE(name);
    Ids any;
    for (std::uint32_t index = 0, state = 5; index < 150; ++index) {
      state = state * 1664525U + 1013904223U;
      any.push_back((state >> 8) % (*tokenizer)->vocab_size());
    }
    expect_pieces(*tokenizer, any);
    const auto cases = nlohmann::json::parse(read(folder / "reference" / "cases.json"))["cases"];
    for (const auto& one : cases) {
      SCOPED_TRACE(one["name"].get<std::string>());
      if (one.contains("generate")) {
        for (std::size_t row = 0; row < one["generate"]["ids"].size(); ++row) {
          // The references were made with special tokens left out too.
          const auto ids = one["generate"]["ids"][row].get<Ids>();
          EXPECT_EQ(*(*tokenizer)->decode(ids), one["generate"]["text"][row].get<std::string>());
          expect_pieces(*tokenizer, ids);
        }
      }
      for (const auto& text : one["raw"].value("texts", nlohmann::json::array())) {
        expect_pieces(*tokenizer, (*tokenizer)->encode(text.get<std::string>())->ids);
      }
    }
  }
}

}  // namespace
}  // namespace shoal::text
