// A GGUF file and a Hugging Face folder of the same weights are the same model.
#include <gmock/gmock.h>

#include <cstring>
#include <map>

#include "engine/archs/build.hpp"
#include "engine/formats/half.hpp"
#include "engine/import/gguf/gguf_blocks.hpp"
#include "engine/import/source.hpp"
#include "engine/import/source_formats.hpp"
#include "engine/runtime/greedy.hpp"
#include "tests/engine/support/gguf_writer.hpp"
#include "tests/engine/support/small_models.hpp"

namespace shoal::archs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Ids = std::vector<std::int32_t>;

constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kQ4_1 = 3;
constexpr std::uint32_t kQ8_0 = 8;
constexpr std::uint64_t kHidden = 32;
constexpr std::uint64_t kHeadDim = 8;

struct FileTensor {
  std::string name;  // in the GGUF
  std::uint64_t rows;
  std::uint64_t columns;  // 0: a vector
  std::uint32_t type;
};

// Llama of two layers, 4 heads that share 2: head of 8 columns.
std::vector<FileTensor> tensors(std::uint32_t matrix_type, std::uint32_t table_type) {
  std::vector<FileTensor> out = {{"token_embd.weight", 50, kHidden, table_type},
                                 {"output_norm.weight", kHidden, 0, kF32}};
  for (const char* index : {"0", "1"}) {
    const std::string layer = std::string("blk.") + index;
    out.push_back({layer + ".attn_norm.weight", kHidden, 0, kF32});
    out.push_back({layer + ".ffn_norm.weight", kHidden, 0, kF32});
    out.push_back({layer + ".attn_q.weight", 32, kHidden, matrix_type});
    out.push_back({layer + ".attn_k.weight", 16, kHidden, matrix_type});
    out.push_back({layer + ".attn_v.weight", 16, kHidden, matrix_type});
    out.push_back({layer + ".attn_output.weight", 32, 32, matrix_type});
    out.push_back({layer + ".ffn_gate.weight", 64, kHidden, matrix_type});
    out.push_back({layer + ".ffn_up.weight", 64, kHidden, matrix_type});
    out.push_back({layer + ".ffn_down.weight", kHidden, 64, matrix_type});
  }
  return out;
}

// Bytes of a tensor of any numbers.
std::string random_bytes(const FileTensor& tensor, std::uint32_t seed) {
  const import::GgufType& type = *import::gguf_type(tensor.type);
  const std::uint64_t elements = tensor.rows * std::max<std::uint64_t>(tensor.columns, 1);
  std::string bytes(elements / type.block_elements * type.block_bytes, '\0');
  std::uint32_t state = seed;
  const auto next = [&] {
    state = state * 1664525U + 1013904223U;
    return static_cast<float>(state >> 8) * 0x1p-24F - 0.5F;
  };
  if (tensor.type == kF32) {
    for (std::size_t at = 0; at < bytes.size(); at += 4) {
      const float value = tensor.columns == 0 ? 1 + next() * 0.2F : next();
      std::memcpy(bytes.data() + at, &value, 4);
    }
    return bytes;
  }
  for (char& byte : bytes) {
    next();
    byte = static_cast<char>(state >> 24);
  }
  for (std::size_t at = 0; at < bytes.size(); at += type.block_bytes) {
    const bool is_eight = tensor.type == kQ8_0;
    const std::uint16_t scale = formats::f32_to_f16((next() + 1) * (is_eight ? 0.004F : 0.06F));
    const std::uint16_t min = formats::f32_to_f16(-0.45F + next() * 0.1F);
    std::memcpy(bytes.data() + at, &scale, 2);
    if (!is_eight) {
      std::memcpy(bytes.data() + at + 2, &min, 2);
    }
  }
  return bytes;
}

test::GgufWriter& metadata(test::GgufWriter& out) {
  out.key("general.architecture", 8).text("llama");
  out.key("llama.block_count", 4).put(std::uint32_t{2});
  out.key("llama.embedding_length", 4).put(std::uint32_t{kHidden});
  out.key("llama.feed_forward_length", 4).put(std::uint32_t{64});
  out.key("llama.attention.head_count", 4).put(std::uint32_t{4});
  out.key("llama.attention.head_count_kv", 4).put(std::uint32_t{2});
  out.key("llama.attention.layer_norm_rms_epsilon", 6).put(1e-5F);
  out.key("llama.context_length", 4).put(std::uint32_t{64});
  return out;
}
constexpr std::uint64_t kMetadata = 8;

struct File {
  std::vector<FileTensor> tensors;
  std::map<std::string, std::string> data;
  std::string bytes;
};

File write(std::vector<FileTensor> tensors) {
  File out{.tensors = std::move(tensors), .data = {}, .bytes = {}};
  auto writer = test::GgufWriter::header(out.tensors.size(), kMetadata);
  metadata(writer);
  std::uint64_t offset = 0;
  for (const FileTensor& one : out.tensors) {
    const std::string& bytes = out.data[one.name] = random_bytes(one, static_cast<std::uint32_t>(out.data.size() + 1));
    const auto dims = one.columns == 0 ? std::vector{one.rows} : std::vector{one.columns, one.rows};
    writer.tensor(one.name, dims, one.type, offset);
    offset += (bytes.size() + 31) / 32 * 32;
  }
  writer.data(0);
  for (const FileTensor& one : out.tensors) {
    writer.bytes += out.data[one.name];
    writer.data(0);
  }
  out.bytes = std::move(writer.bytes);
  return out;
}

// The same weights as floats under the names, and in the order of rows, of a Hugging Face checkpoint.
std::string as_safetensors(const File& file) {
  const std::map<std::string, std::string> parts = {
      {"attn_norm", "input_layernorm"}, {"ffn_norm", "post_attention_layernorm"},
      {"attn_q", "self_attn.q_proj"},   {"attn_k", "self_attn.k_proj"},
      {"attn_v", "self_attn.v_proj"},   {"attn_output", "self_attn.o_proj"},
      {"ffn_gate", "mlp.gate_proj"},    {"ffn_up", "mlp.up_proj"},
      {"ffn_down", "mlp.down_proj"},    {"token_embd", "embed_tokens"},
      {"output_norm", "norm"}};
  std::vector<test::SmallTensor> out;
  for (const FileTensor& one : file.tensors) {
    const std::string stem = one.name.substr(0, one.name.rfind('.'));
    const bool is_layer = stem.starts_with("blk.");
    const std::string part = is_layer ? stem.substr(6) : stem;
    const std::string name =
        "model." + (is_layer ? "layers." + stem.substr(4, 1) + "." : std::string()) + parts.at(part) + ".weight";
    const import::GgufType& type = *import::gguf_type(one.type);
    const std::uint64_t columns = std::max<std::uint64_t>(one.columns, 1);
    std::vector<float> values(one.rows * columns);
    const std::size_t row_bytes = file.data.at(one.name).size() / one.rows;
    for (std::uint64_t row = 0; row < one.rows; ++row) {
      const bool is_rotary = part == "attn_q" || part == "attn_k";
      const std::uint64_t to = is_rotary ? import::half_split_row(row, kHeadDim) : row;
      EXPECT_TRUE(import::dequantize_gguf_row(type,
                                              as_bytes(file.data.at(one.name)).subspan(row * row_bytes, row_bytes),
                                              std::span(values).subspan(to * columns, columns)));
    }
    out.push_back({name, one.columns == 0 ? std::vector{one.rows} : std::vector{one.rows, one.columns}, values});
  }
  return test::safetensors_of(out);
}

constexpr std::string_view kConfig =
    R"({"model_type": "llama", "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
        "num_hidden_layers": 2, "vocab_size": 50, "max_position_embeddings": 64})";

graph::Extents limits() {
  graph::Extents out;
  for (const graph::Symbol symbol : {graph::Symbol::kRows, graph::Symbol::kSlots}) {
    out[symbol] = 1;
  }
  for (const graph::Symbol symbol : {graph::Symbol::kTokens, graph::Symbol::kOutputs, graph::Symbol::kContext}) {
    out[symbol] = 32;
  }
  return out;
}

struct Answer {
  Ids tokens;
  std::vector<float> logits;  // of the last step
};

Answer answer_of(import::Source& source, std::uint32_t bits) {
  Serial serial;
  auto model = build_model(source.config, source.generation ? &*source.generation : nullptr, source.checkpoint);
  EXPECT_TRUE(model) << model.error().message;
  const std::uint32_t most = import::source_bits(model->recipes, source.checkpoint);
  for (graph::TensorId id = 0; id < model->plan.tensors.size(); ++id) {
    if (const auto format = import::format_to_keep(model->recipes[id], source.checkpoint, bits, most)) {
      model->plan.tensors[id].format = *format;
    }
  }
  const auto weights = runtime::Weights::make(model->plan, model->recipes, source.checkpoint, {}, serial);
  EXPECT_TRUE(weights) << weights.error().message;
  const auto executor = *runtime::Executor::make(model->plan, *weights, limits(), serial);
  const std::vector<Ids> prompt = {{1, 7, 33, 49, 2}};
  Answer out{.tokens = runtime::greedy(*executor, prompt, {.max_new_tokens = 8})->at(0), .logits = {}};
  const auto logits = *executor->output("logits");
  out.logits.assign(logits.row(0), logits.row(0) + logits.columns);
  return out;
}

TEST(GgufSource, IsTheModelOfTheFolder) {
  const File file = write(tensors(kF32, kF32));
  test::MemoryFiles folder;
  folder.add("config.json", std::string(kConfig));
  folder.add("model.safetensors", as_safetensors(file));
  auto from_folder = import::open_folder(folder);
  auto from_file = import::open_gguf(as_bytes(file.bytes));
  ASSERT_TRUE(from_folder && from_file) << (from_file ? std::string() : from_file.error().message);
  const Answer expected = answer_of(*from_folder, 32);
  const Answer answer = answer_of(*from_file, 32);
  EXPECT_EQ(answer.tokens, expected.tokens);
  EXPECT_EQ(answer.logits, expected.logits);
}

// Codes and scales are the file's own: a matrix of them says exactly the floats that the file means.
TEST(GgufSource, CodesAreKeptAtTheBitsOfTheFile) {
  const File file = write(tensors(kQ4_1, kQ8_0));
  auto source = *import::open_gguf(as_bytes(file.bytes));
  Serial serial;
  auto model = *build_model(source.config, nullptr, source.checkpoint);
  EXPECT_EQ(import::source_bits(model.recipes, source.checkpoint), 4U);
  std::map<std::string, int> formats;
  for (graph::TensorId id = 0; id < model.plan.tensors.size(); ++id) {
    graph::Tensor& tensor = model.plan.tensors[id];
    const auto at_three = import::format_to_keep(model.recipes[id], source.checkpoint, 3, 4);
    EXPECT_FALSE(at_three) << tensor.name;
    if (const auto format = import::format_to_keep(model.recipes[id], source.checkpoint, 4, 4)) {
      tensor.format = *format;
      ++formats[formats::format_name(*format)];
    }
  }
  EXPECT_EQ(formats, (std::map<std::string, int>{{"q4-asym-f16-g32", 8}, {"q8-sym-f16-g32", 1}}));
  const auto weights = *runtime::Weights::make(model.plan, model.recipes, source.checkpoint, {}, serial);
  for (graph::TensorId id = 0; id < model.plan.tensors.size(); ++id) {
    const graph::Tensor& tensor = model.plan.tensors[id];
    if (tensor.kind != graph::TensorKind::kWeight || tensor.shape.size() != 2) {
      continue;
    }
    const import::Recipe& recipe = model.recipes[id];
    std::vector<float> stored(recipe.columns);
    std::vector<float> meant(recipe.columns);
    for (std::uint32_t row = 0; row < recipe.rows; ++row) {
      formats::dequantize_row(weights.matrix(id), row, stored);
      import::read_rows(recipe, source.checkpoint, row, 1, meant.data());
      ASSERT_EQ(stored, meant) << tensor.name << " row " << row;
    }
  }
}

TEST(GgufSource, TellsTheConfigurationInTheWordsOfTheOther) {
  const File file = write(tensors(kF32, kF32));
  auto source = *import::open_gguf(as_bytes(file.bytes));
  EXPECT_EQ(source.config.text("model_type", ""), "llama");
  EXPECT_EQ(source.config.count("vocab_size"), 50U);
  EXPECT_EQ(source.config.count("head_dim"), kHeadDim);
  EXPECT_EQ(source.config.number("rope_theta"), 10000.0F);
  EXPECT_EQ(source.config.number("rms_norm_eps"), 1e-5F);
  EXPECT_TRUE(source.tokenizer.empty());
  EXPECT_TRUE(source.config.ids("eos_token_id").empty());
}

// The scaling of Llama 3 as divisors of frequencies.
TEST(GgufSource, FrequenciesAreDivided) {
  auto with_divisors = tensors(kF32, kF32);
  with_divisors.push_back({"rope_freqs.weight", kHeadDim / 2, 0, kF32});
  const File file = write(with_divisors);
  auto source = *import::open_gguf(as_bytes(file.bytes));
  const auto model = build_model(source.config, nullptr, source.checkpoint);
  ASSERT_TRUE(model) << model.error().message;
  std::vector<float> divisors(kHeadDim / 2);
  std::memcpy(divisors.data(), file.data.at("rope_freqs.weight").data(), divisors.size() * 4);
  const auto found = std::ranges::find(model->plan.tensors, "rope", &graph::Tensor::name);
  ASSERT_NE(found, model->plan.tensors.end());
  const auto& numbers = model->recipes[static_cast<std::size_t>(found - model->plan.tensors.begin())].numbers;
  ASSERT_EQ(numbers.size(), divisors.size());
  for (std::size_t index = 0; index < numbers.size(); ++index) {
    EXPECT_FLOAT_EQ(numbers[index], std::pow(10000.0F, -static_cast<float>(index) / 4) / divisors[index]);
  }
}

Error error_of(const std::string& bytes) {
  const auto source = import::open_gguf(as_bytes(bytes));
  return source ? Error{Code::kInternal, "opened", {}} : source.error();
}

TEST(GgufSource, WhatIsNotKnownIsNamed) {
  std::string other = write(tensors(kF32, kF32)).bytes;
  other.replace(other.find("llama"), 5, "mamba");
  EXPECT_EQ(error_of(other).code, Code::kOperatorNotSupported);
  EXPECT_EQ(error_of(other).param, "general.architecture");
  auto more = tensors(kF32, kF32);
  more.push_back({"blk.0.ffn_gate_inp.weight", 4, kHidden, kF32});
  EXPECT_THAT(error_of(write(more).bytes).message, HasSubstr("'blk.0.ffn_gate_inp.weight' has no place in llama"));
  auto writer = test::GgufWriter::header(0, kMetadata - 1);
  metadata(writer);
  writer.bytes.resize(writer.bytes.rfind("llama.context_length") - 8);
  writer.data(0);
  EXPECT_EQ(error_of(writer.bytes).code, Code::kInvalidArgument);
  EXPECT_EQ(error_of(writer.bytes).param, "llama.context_length");
  auto scaled = test::GgufWriter::header(0, kMetadata + 1);
  metadata(scaled).key("llama.rope.scaling.type", 8).text("yarn").data(0);
  EXPECT_EQ(error_of(scaled.bytes).code, Code::kOperatorNotSupported);
  EXPECT_EQ(error_of(scaled.bytes).param, "llama.rope.scaling.type");
}

}  // namespace
}  // namespace shoal::archs
