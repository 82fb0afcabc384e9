#include "server/models/model_config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "inference/model_config.pb.h"
#include "server/models/config_support.hpp"
#include "server/models/config_types.hpp"
#include "server/models/echo_config.hpp"
#include "server/models/instance_groups.hpp"
#include "server/models/model_parameters.hpp"

namespace shoal::models {
namespace {

constexpr int kMaxConfigDepth = 32;

std::unexpected<Error> bad(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(std::string_view file) : file_(file) {}
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (text_.empty()) {
      text_ = fmt::format("{}:{}:{}: {}", file_, line + 1, column + 1, message);
    }
  }
  // A warning is a key given twice or a deprecated one: nothing that may pass in silence.
  void AddWarning(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    AddError(line, column, message);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string file_;
  std::string text_;
};

bool is_batch_symbol(std::string_view symbol) {
  std::string lower(symbol);
  std::ranges::transform(lower, lower.begin(), [](unsigned char letter) { return std::tolower(letter); });
  return lower.find("batch") != std::string::npos || lower == "n" || lower == "b";
}

std::int64_t auto_batch_size(const GraphSignature& graph) {
  std::string_view symbol;
  for (const auto* tensors : {&graph.inputs, &graph.outputs}) {
    for (const TensorSignature& tensor : *tensors) {
      if (!tensor.has_rank || tensor.dims.empty() || tensor.dims[0] >= 0 || !is_batch_symbol(tensor.dim_names[0]) ||
          (!symbol.empty() && tensor.dim_names[0] != symbol)) {
        return 0;
      }
      symbol = tensor.dim_names[0];
    }
  }
  return graph.inputs.empty() ? 0 : kAutoBatchSize;
}

// Checks what the file says of one tensor against the graph, and narrows the graph's open dimensions by it.
template <class ConfigTensor>
Status narrow(const ConfigTensor& said, bool has_batch, std::string_view role, TensorSignature& tensor) {
  if (said.data_type() != inference::TYPE_INVALID && said.data_type() != config_type(tensor.datatype)) {
    return bad(fmt::format("{} '{}': data_type is {}, the graph has {}", role, said.name(),
                           inference::DataType_Name(said.data_type()),
                           inference::DataType_Name(config_type(tensor.datatype))));
  }
  if (said.dims_size() == 0) {
    return {};
  }
  Shape dims(said.dims().begin(), said.dims().end());
  if (has_batch) {
    dims.insert(dims.begin(), -1);
  }
  bool is_fine = !tensor.has_rank || dims.size() == tensor.dims.size();
  for (std::size_t axis = 0; is_fine && axis < dims.size(); ++axis) {
    const std::int64_t graph_dim = tensor.has_rank ? tensor.dims[axis] : -1;
    is_fine = dims[axis] >= -1 && (graph_dim < 0 || dims[axis] < 0 || graph_dim == dims[axis]);
    dims[axis] = std::max(dims[axis], graph_dim);
  }
  if (!is_fine) {
    return bad(fmt::format("{} '{}': dims [{}] do not fit the graph's {}{}", role, said.name(),
                           fmt::join(said.dims(), ","), shape_text(tensor.dims),
                           has_batch ? " (dims leave the batch dimension out when max_batch_size > 0)" : ""));
  }
  tensor.dims = std::move(dims);
  tensor.dim_names.resize(tensor.dims.size());
  for (std::size_t axis = 0; axis < tensor.dims.size(); ++axis) {
    if (tensor.dims[axis] >= 0) {
      tensor.dim_names[axis].clear();
    }
  }
  tensor.has_rank = true;
  return {};
}

template <class ConfigTensors>
Status join(ConfigTensors& said, bool has_batch, std::string_view role, std::vector<TensorSignature>& tensors) {
  for (const auto& entry : said) {
    const auto found = std::ranges::find(tensors, entry.name(), &TensorSignature::name);
    if (found == tensors.end()) {
      return bad(fmt::format("{} '{}' is not in the graph", role, entry.name()));
    }
    if (auto narrowed = narrow(entry, has_batch, role, *found); !narrowed) {
      return narrowed;
    }
  }
  // Clients hold every entry of the configuration against the metadata, so it always lists all tensors.
  for (const TensorSignature& tensor : tensors) {
    auto entry = std::ranges::find_if(said, [&](const auto& candidate) { return candidate.name() == tensor.name; });
    auto& target = entry == said.end() ? *said.Add() : *entry;
    target.set_name(tensor.name);
    target.set_data_type(config_type(tensor.datatype));
    if constexpr (requires { target.set_optional(true); }) {
      target.set_optional(tensor.is_optional);
    }
    target.clear_dims();
    for (const std::int64_t dim : std::span(tensor.dims).subspan(has_batch ? 1 : 0)) {
      target.add_dims(dim);
    }
  }
  return {};
}

Status check_batch_dimension(const std::vector<TensorSignature>& tensors, std::string_view role) {
  for (const TensorSignature& tensor : tensors) {
    if (!tensor.has_rank || tensor.dims.empty() || tensor.dims[0] >= 0) {
      return bad(
          fmt::format("max_batch_size > 0 needs a graph whose tensors start with an open batch dimension; {} '{}' "
                      "has the shape {}",
                      role, tensor.name, tensor.has_rank ? shape_text(tensor.dims) : "unknown"));
    }
  }
  return {};
}

}  // namespace

Result<ParsedConfig> parse_model_config(std::string_view text, std::string_view file) {
  if (text.size() > kMaxConfigBytes) {
    return bad(fmt::format("{} has {} bytes, the limit is {}", file, text.size(), kMaxConfigBytes));
  }
  ParsedConfig parsed{.config = std::make_shared<inference::ModelConfig>()};
  FirstError errors(file);
  google::protobuf::TextFormat::ParseInfoTree places;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.SetRecursionLimit(kMaxConfigDepth);
  parser.WriteLocationsTo(&places);
  if (!parser.ParseFromString(std::string(text), parsed.config.get()) || !errors.text().empty()) {
    return bad(errors.text().empty() ? fmt::format("{}: not a model configuration", file) : errors.text());
  }
  const auto* field =
      inference::ModelConfig::descriptor()->FindFieldByNumber(inference::ModelConfig::kMaxBatchSizeFieldNumber);
  parsed.has_max_batch_size = places.GetLocation(field, -1).line >= 0;
  if (auto supported = check_supported(*parsed.config); !supported) {
    return fail(std::move(supported.error()).with(file));
  }
  return parsed;
}

Result<ParsedConfig> parse_model_config_json(std::string_view text, std::string_view model) {
  constexpr std::string_view kSource = "parameter 'config'";
  if (text.size() > kMaxConfigBytes) {
    return bad(fmt::format("{} has {} bytes, the limit is {}", kSource, text.size(), kMaxConfigBytes));
  }
  ParsedConfig parsed{.config = std::make_shared<inference::ModelConfig>()};
  const auto read = google::protobuf::util::JsonStringToMessage(google::protobuf::StringPiece(text.data(), text.size()),
                                                                parsed.config.get());
  if (!read.ok()) {
    return bad(fmt::format("{}: {}", kSource, std::string_view(read.message().data(), read.message().size())));
  }
  // 0 is what an absent number reads as, and means something else than none.
  const nlohmann::json root = nlohmann::json::parse(text, nullptr, false);
  parsed.has_max_batch_size = root.is_object() && (root.contains("max_batch_size") || root.contains("maxBatchSize"));
  if (!parsed.config->name().empty() && parsed.config->name() != model) {
    return bad(fmt::format("{}: name is '{}', the model is '{}'", kSource, parsed.config->name(), model));
  }
  if (auto supported = check_supported(*parsed.config); !supported) {
    return fail(std::move(supported.error()).with(kSource));
  }
  return parsed;
}

Status apply_model_config(ParsedConfig parsed, GraphSignature graph, const std::vector<Backend>& default_backends,
                          ModelVersion& model) {
  inference::ModelConfig& config = *parsed.config;
  model.platform = is_echo(config) ? std::string(kEchoPlatform) : graph.platform;
  if (!config.platform().empty() && config.platform() != model.platform) {
    return fail(Code::kInvalidArgument,
                fmt::format("platform is '{}', the version is of '{}'", config.platform(), model.platform), "platform");
  }
  model.max_batch_size =
      parsed.has_max_batch_size || is_echo(config) ? config.max_batch_size() : auto_batch_size(graph);
  model.is_decoupled = config.model_transaction_policy().decoupled();
  const bool has_batch = model.max_batch_size > 0;
  if (has_batch) {
    for (const auto& [tensors, role] : {std::pair(&graph.inputs, "input"), std::pair(&graph.outputs, "output")}) {
      if (auto checked = check_batch_dimension(*tensors, role); !checked) {
        return checked;
      }
    }
  }
  if (auto joined = join(*config.mutable_input(), has_batch, "input", graph.inputs); !joined) {
    return joined;
  }
  if (auto joined = join(*config.mutable_output(), has_batch, "output", graph.outputs); !joined) {
    return joined;
  }
  model.inputs = std::move(graph.inputs);
  model.outputs = std::move(graph.outputs);
  model.backends = default_backends;
  if (auto applied = apply_parameters(config, model); !applied) {
    return applied;
  }
  if (auto applied = apply_metric_tags(config, model); !applied) {
    return applied;
  }
  if (auto applied = is_echo(config) ? Status() : apply_instance_groups(config, model); !applied) {
    return applied;
  }
  config.set_name(model.name);
  config.set_platform(model.platform);
  if (config.backend().empty()) {
    config.set_backend("shoal");
  }
  config.set_max_batch_size(static_cast<int>(model.max_batch_size));
  model.config = std::move(parsed.config);
  return {};
}

}  // namespace shoal::models
