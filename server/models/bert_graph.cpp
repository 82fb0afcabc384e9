#include "server/models/bert_graph.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <system_error>
#include <vector>

#include "engine/import/safetensors.hpp"
#include "server/models/bert_config.hpp"
#include "server/models/graph_builder.hpp"
#include "server/models/read_file.hpp"

namespace shoal::models {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kIrVersion = 8;
constexpr std::int64_t kOpset = 17;
constexpr std::size_t kMaxWeightBytes = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;
// Added to the scores of padded positions: exp of it is 0 in every precision, and it fits into 16 bits.
constexpr float kMasked = -10000.0F;

// The checkpoint's tensors by the names of a bare BertModel.
class Weights {
 public:
  explicit Weights(const import::Safetensors& file) : file_(file) {
    // Checkpoints of BertFor... keep the encoder below "bert.".
    prefix_ = file.tensors.contains("bert.embeddings.word_embeddings.weight") ? "bert." : "";
  }

  Result<std::vector<float>> read(const std::string& name, std::initializer_list<std::int64_t> dims) const {
    const auto tensor = find(name);
    if (!tensor) {
      return fail(tensor.error());
    }
    const auto& shape = (*tensor)->shape;
    bool is_match = shape.size() == dims.size();
    for (std::size_t axis = 0; is_match && axis < dims.size(); ++axis) {
      is_match = shape[axis] == static_cast<std::uint64_t>(std::data(dims)[axis]);
    }
    if (!is_match) {
      return fail(Code::kInvalidArgument, fmt::format("tensor '{}' has another shape than config.json says", name));
    }
    return import::to_floats(**tensor);
  }

 private:
  Result<const import::TensorView*> find(const std::string& name) const {
    auto found = file_.find(prefix_ + name);
    if (found) {
      return found;
    }
    // Old conversions call the scale and shift of a norm gamma and beta.
    for (const auto& [now, then] :
         {std::pair("LayerNorm.weight", "LayerNorm.gamma"), {"LayerNorm.bias", "LayerNorm.beta"}}) {
      if (name.ends_with(now)) {
        const std::string stem = name.substr(0, name.size() - std::strlen(now));
        if (auto old = file_.find(prefix_ + stem + then)) {
          return old;
        }
      }
    }
    return found;
  }

  const import::Safetensors& file_;
  std::string prefix_;
};

// Builds the graph top down; the first failing weight ends it, later calls do nothing.
class BertBuilder {
 public:
  BertBuilder(const BertConfig& config, const Weights& weights, onnx::GraphProto& graph)
      : config_(config), weights_(weights), out_(graph) {}

  Status build() {
    for (const char* name : {"input_ids", "attention_mask", "token_type_ids"}) {
      out_.input(name, onnx::TensorProto::INT64, {"batch_size", "sequence_length"});
    }
    constants();
    std::string hidden = embeddings();
    const std::string mask = mask_bias();
    for (std::int64_t layer = 0; layer < config_.layers && error_.message.empty(); ++layer) {
      hidden = encoder_layer(fmt::format("encoder.layer.{}", layer), hidden, mask, layer + 1 == config_.layers);
    }
    out_.output("last_hidden_state", onnx::TensorProto::FLOAT, {"batch_size", "sequence_length"}, config_.hidden);
    return error_.message.empty() ? Status() : fail(error_);
  }

 private:
  void constants() {
    out_.scalar("one", 1.0F);
    out_.scalar("half", 0.5F);
    out_.scalar("sqrt_two", std::sqrt(2.0F));
    out_.scalar("masked", kMasked);
    out_.scalar("sqrt_head_size", std::sqrt(static_cast<float>(config_.head_size())));
    out_.integers("heads_apart", {0, 0, config_.heads, config_.head_size()});
    out_.integers("heads_together", {0, 0, config_.hidden});
    out_.integers("zero", {0});
    out_.integers("mask_axes", {1, 2});
  }

  std::string embeddings() {
    table("embeddings.word_embeddings.weight", config_.vocab);
    table("embeddings.token_type_embeddings.weight", config_.types);
    table("embeddings.position_embeddings.weight", config_.positions);
    const auto words = out_.node("Gather", "embeddings.words", {"embeddings.word_embeddings.weight", "input_ids"});
    const auto types =
        out_.node("Gather", "embeddings.types", {"embeddings.token_type_embeddings.weight", "token_type_ids"});
    const auto length = out_.node("Shape", "embeddings.length", {"input_ids"});
    out_.attribute("start", std::int64_t{1});
    out_.attribute("end", std::int64_t{2});
    const auto positions =
        out_.node("Slice", "embeddings.positions", {"embeddings.position_embeddings.weight", "zero", length, "zero"});
    const auto both = out_.node("Add", "embeddings.words_types", {words, types});
    const auto sum = out_.node("Add", "embeddings.sum", {both, positions});
    // Slice hides that its rows are sequence_length; without this onnxruntime does not fuse the residual additions.
    out_.value(sum, onnx::TensorProto::FLOAT, {"batch_size", "sequence_length"}, config_.hidden);
    return layer_norm("embeddings.LayerNorm", sum, "embeddings.norm");
  }

  // 0 where the mask is 1, kMasked where it is 0: [batch, 1, 1, sequence].
  std::string mask_bias() {
    const auto spread = out_.node("Unsqueeze", "mask.spread", {"attention_mask", "mask_axes"});
    const auto number = out_.node("Cast", "mask.float", {spread});
    out_.attribute("to", std::int64_t{onnx::TensorProto::FLOAT});
    return out_.node("Mul", "mask.bias", {out_.node("Sub", "mask.inverse", {"one", number}), "masked"});
  }

  std::string encoder_layer(const std::string& path, const std::string& input, const std::string& mask, bool is_last) {
    const std::int64_t width = config_.hidden;
    const auto context = attention(path + ".attention", input, mask);
    const auto projected = linear(path + ".attention.output.dense", context, width, width);
    const auto attended = out_.node("Add", path + ".attention.residual", {projected, input});
    const auto middle = layer_norm(path + ".attention.output.LayerNorm", attended, path + ".attention.norm");
    const auto up = linear(path + ".intermediate.dense", middle, width, config_.intermediate);
    const auto down = linear(path + ".output.dense", activation(path, up), config_.intermediate, width);
    const auto sum = out_.node("Add", path + ".residual", {down, middle});
    return layer_norm(path + ".output.LayerNorm", sum, is_last ? "last_hidden_state" : path + ".norm");
  }

  std::string attention(const std::string& path, const std::string& input, const std::string& mask) {
    const auto query = heads(path + ".self.query", input, {0, 2, 1, 3});
    const auto key = heads(path + ".self.key", input, {0, 2, 3, 1});
    const auto value = heads(path + ".self.value", input, {0, 2, 1, 3});
    const auto products = out_.node("MatMul", path + ".products", {query, key});
    const auto scaled = out_.node("Div", path + ".scaled", {products, "sqrt_head_size"});
    const auto scores = out_.node("Add", path + ".scores", {scaled, mask});
    const auto shares = out_.node("Softmax", path + ".shares", {scores});
    out_.attribute("axis", std::int64_t{-1});
    const auto context = out_.node("MatMul", path + ".context", {shares, value});
    const auto back = out_.node("Transpose", path + ".context_rows", {context});
    out_.attribute("perm", {0, 2, 1, 3});
    return out_.node("Reshape", path + ".context_joined", {back, "heads_together"});
  }

  std::string heads(const std::string& path, const std::string& input, std::initializer_list<std::int64_t> order) {
    const auto rows = linear(path, input, config_.hidden, config_.hidden);
    const auto apart = out_.node("Reshape", path + ".apart", {rows, "heads_apart"});
    const auto turned = out_.node("Transpose", path + ".heads", {apart});
    out_.attribute("perm", order);
    return turned;
  }

  std::string activation(const std::string& path, const std::string& input) {
    const std::string stem = path + ".intermediate";
    if (config_.activation == Activation::kRelu) {
      return out_.node("Relu", stem + ".relu", {input});
    }
    const auto scaled = out_.node("Div", stem + ".scaled", {input, "sqrt_two"});
    const auto erf = out_.node("Erf", stem + ".erf", {scaled});
    const auto gate = out_.node("Add", stem + ".gate", {erf, "one"});
    const auto gated = out_.node("Mul", stem + ".gated", {input, gate});
    return out_.node("Mul", stem + ".gelu", {gated, "half"});
  }

  // y = x W^T + b: the checkpoint has W as [to, from], MatMul wants [from, to].
  std::string linear(const std::string& path, const std::string& input, std::int64_t from, std::int64_t to) {
    const auto weight = read(path + ".weight", {to, from});
    const auto bias = read(path + ".bias", {to});
    std::vector<float> turned(weight.size());
    const auto rows = static_cast<std::size_t>(to);
    const auto columns = static_cast<std::size_t>(from);
    for (std::size_t row = 0; row < rows && !weight.empty(); ++row) {
      for (std::size_t column = 0; column < columns; ++column) {
        turned[column * rows + row] = weight[row * columns + column];
      }
    }
    const auto matrix = out_.floats(path + ".weight", {from, to}, turned);
    const auto shift = out_.floats(path + ".bias", {to}, bias);
    return out_.node("Add", path, {out_.node("MatMul", path + ".product", {input, matrix}), shift});
  }

  std::string layer_norm(const std::string& path, const std::string& input, const std::string& name) {
    for (const char* part : {".weight", ".bias"}) {
      out_.floats(path + part, {config_.hidden}, read(path + part, {config_.hidden}));
    }
    const auto norm = out_.node("LayerNormalization", name, {input, path + ".weight", path + ".bias"});
    out_.attribute("axis", std::int64_t{-1});
    out_.attribute("epsilon", config_.epsilon);
    return norm;
  }

  void table(const std::string& name, std::int64_t rows) {
    out_.floats(name, {rows, config_.hidden}, read(name, {rows, config_.hidden}));
  }

  std::vector<float> read(const std::string& name, std::initializer_list<std::int64_t> dims) {
    auto values = weights_.read(name, dims);
    if (!values) {
      if (error_.message.empty()) {
        error_ = std::move(values.error());
      }
      return {};
    }
    return std::move(*values);
  }

  const BertConfig& config_;
  const Weights& weights_;
  GraphBuilder out_;
  Error error_;
};

Status write_model(const onnx::ModelProto& model, const fs::path& file) {
  const fs::path fresh = file.string() + fmt::format(".{}", ::getpid());
  const int descriptor = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return fail(Code::kInternal,
                fmt::format("cannot write {}: {}", fresh.string(), std::generic_category().message(errno)));
  }
  google::protobuf::io::FileOutputStream out(descriptor);
  const bool is_written = model.SerializeToZeroCopyStream(&out) && out.Flush();
  const bool is_closed = out.Close();
  std::error_code error;
  if (is_written && is_closed) {
    fs::rename(fresh, file, error);
  }
  if (!is_written || !is_closed || error) {
    std::error_code ignored;
    fs::remove(fresh, ignored);
    return fail(Code::kInternal, fmt::format("cannot write {}", file.string()));
  }
  return {};
}

}  // namespace

Status import_bert(const fs::path& folder, const fs::path& out_onnx) {
  const auto config_text = read_file(folder / "config.json", kMaxConfigBytes);
  if (!config_text) {
    return fail(config_text.error());
  }
  const auto config = parse_bert_config(*config_text);
  if (!config) {
    return fail(config.error());
  }
  const auto bytes = read_file(folder / "model.safetensors", kMaxWeightBytes);
  if (!bytes) {
    return fail(bytes.error());
  }
  const auto tensors = import::parse_safetensors(as_bytes(*bytes));
  if (!tensors) {
    return fail(tensors.error());
  }
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("shoal import");
  model.add_opset_import()->set_version(kOpset);
  model.mutable_graph()->set_name("bert");
  const Weights weights(*tensors);
  if (auto built = BertBuilder(*config, weights, *model.mutable_graph()).build(); !built) {
    return fail(std::move(built.error()).with(folder.string()));
  }
  if (model.ByteSizeLong() > kMaxWeightBytes) {
    return fail(Code::kResourceLimit, fmt::format("{}: the float32 graph would exceed 2 GiB", folder.string()));
  }
  return write_model(model, out_onnx);
}

Status import_sentence_encoder(const fs::path& folder, const fs::path& version_folder) {
  std::error_code error;
  if (fs::exists(version_folder, error)) {
    return fail(Code::kInvalidArgument, fmt::format("{} is there already", version_folder.string()));
  }
  const fs::path fresh = version_folder.string() + fmt::format(".{}", ::getpid());
  fs::create_directories(fresh, error);
  Status done = error
                    ? Status(fail(Code::kInternal, fmt::format("cannot make {}: {}", fresh.string(), error.message())))
                    : import_bert(folder, fresh / "model.onnx");
  for (const char* name :
       {"tokenizer.json", "config.json", "modules.json", "sentence_bert_config.json", "1_Pooling/config.json"}) {
    if (done && fs::exists(folder / name, error)) {
      fs::create_directories((fresh / name).parent_path(), error);
      if (!fs::copy_file(folder / name, fresh / name, error)) {
        done = fail(Code::kInternal, fmt::format("cannot copy {}: {}", (folder / name).string(), error.message()));
      }
    }
  }
  if (done) {
    fs::rename(fresh, version_folder, error);
    if (error) {
      done = fail(Code::kInternal, fmt::format("cannot make {}: {}", version_folder.string(), error.message()));
    }
  }
  if (!done) {
    fs::remove_all(fresh, error);
  }
  return done;
}

}  // namespace shoal::models
