#include "engine/archs/assembly.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace shoal::archs {
namespace {

struct ActivationRow {
  std::string_view name;
  Activation activation;
};
// The names of transformers' ACT2FN.
constexpr std::array<ActivationRow, 9> kActivations = {{
    {"gelu", Activation::kGelu},
    {"gelu_new", Activation::kGeluTanh},
    {"gelu_fast", Activation::kGeluTanh},
    {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"quick_gelu", Activation::kQuickGelu},
    {"relu", Activation::kRelu},
    {"silu", Activation::kSilu},
    {"swish", Activation::kSilu},
    {"tanh", Activation::kTanh},
}};

// "encoder.q.weight" of {"encoder.q", "encoder.k"}: "encoder.q+k.weight".
std::string fused_name(const Names& names, std::string_view suffix) {
  std::string name = names.front();
  for (std::size_t index = 1; index < names.size(); ++index) {
    name += "+" + names[index].substr(names[index].rfind('.') + 1);
  }
  return name + std::string(suffix);
}

}  // namespace

Assembly::Assembly(import::Config& from, const import::Checkpoint& checkpoint)
    : graph(from.text("model_type", "")), config(from), checkpoint_(checkpoint) {}

std::string Assembly::prefix_of(std::initializer_list<std::string_view> prefixes, std::string_view tensor) const {
  for (const std::string_view prefix : prefixes) {
    if (has(std::string(prefix) + std::string(tensor))) {
      return std::string(prefix);
    }
  }
  return std::string(*prefixes.begin());
}

TensorId Assembly::weight(std::string name, Result<import::Recipe> recipe, bool is_vector) {
  if (!recipe) {
    graph.refuse(std::move(recipe.error()));
    return kNoTensor;
  }
  if (is_vector && recipe->rows == 1 && recipe->columns != 1 && recipe->parts.size() == 1) {
    // A bias that is stored as [1, N].
    recipe->parts.front().transposed = true;
    recipe->parts.front().row_count = recipe->columns;
    std::swap(recipe->rows, recipe->columns);
  }
  std::vector<std::uint32_t> shape = {recipe->rows};
  if (!is_vector) {
    shape.push_back(recipe->columns);
  } else if (recipe->columns != 1) {
    graph.refuse({Code::kInvalidArgument, "tensor '" + name + "' is no vector", name});
    return kNoTensor;
  }
  const TensorId id = graph.weight(std::move(name), std::move(shape));
  recipes_.resize(std::max<std::size_t>(recipes_.size(), id + 1));
  recipes_[id] = std::move(*recipe);
  return id;
}

TensorId Assembly::vector(const std::string& tensor) {
  return weight(tensor, import::whole_tensor(checkpoint_, tensor), true);
}
TensorId Assembly::matrix(const std::string& tensor) {
  return weight(tensor, import::whole_tensor(checkpoint_, tensor), false);
}

TensorId Assembly::numbers(std::string name, std::vector<float> values) {
  import::Recipe recipe;
  recipe.rows = static_cast<std::uint32_t>(values.size());
  recipe.numbers = std::move(values);
  return weight(std::move(name), std::move(recipe), true);
}

Result<import::Recipe> Assembly::stacked(const Names& names, std::string_view suffix, bool transposed) const {
  auto recipe = import::whole_tensor(checkpoint_, names.front() + std::string(suffix), transposed);
  for (std::size_t index = 1; recipe && index < names.size(); ++index) {
    const auto below = import::whole_tensor(checkpoint_, names[index] + std::string(suffix), transposed);
    if (!below) {
      return below;
    }
    if (auto fits = import::stack(*recipe, *below); !fits) {
      return fail(std::move(fits.error()));
    }
  }
  return recipe;
}

TensorId Assembly::embedding(std::string_view input, const std::string& table, const EmbeddingOptions& options) {
  return graph.apply(graph::Embedding{.scale = options.scale, .offset = options.offset},
                     {graph.input(input), matrix(table), options.addend});
}

TensorId Assembly::linear(TensorId x, const Names& names, const LinearOptions& options) {
  const TensorId matrix = weight(fused_name(names, ".weight"), stacked(names, ".weight", options.transposed), false);
  const bool has_bias =
      std::any_of(names.begin(), names.end(), [&](const std::string& name) { return has(name + ".bias"); });
  const TensorId bias = has_bias ? weight(fused_name(names, ".bias"), stacked(names, ".bias", false), true) : kNoTensor;
  return linear_of(x, matrix, bias, options);
}

TensorId Assembly::linear_of(TensorId x, TensorId matrix, TensorId bias, const LinearOptions& options) {
  return graph.apply(graph::Linear{.activation = options.activation}, {x, matrix, bias, options.residual});
}

TensorId Assembly::linear_reordered(TensorId x, const std::string& name,
                                    const std::vector<std::pair<std::uint32_t, std::uint32_t>>& rows) {
  const auto reordered = [&](const std::string& tensor) {
    auto recipe = import::whole_tensor(checkpoint_, tensor);
    if (!recipe) {
      return recipe;
    }
    recipe->parts.clear();
    recipe->rows = 0;
    for (const auto& [first, count] : rows) {
      recipe->parts.push_back({.tensor = tensor, .first_row = first, .row_count = count});
      recipe->rows += count;
    }
    if (auto fits = import::check(*recipe, checkpoint_); !fits) {
      return Result<import::Recipe>(fail(std::move(fits.error())));
    }
    return recipe;
  };
  const TensorId matrix = weight(name + ".weight", reordered(name + ".weight"), false);
  const TensorId bias = has(name + ".bias") ? weight(name + ".bias", reordered(name + ".bias"), true) : kNoTensor;
  return linear_of(x, matrix, bias);
}

TensorId Assembly::layer_norm(TensorId x, const std::string& name, float epsilon) {
  // The first checkpoints of BERT call them gamma and beta.
  const bool is_old = has(name + ".gamma");
  return graph.apply(graph::LayerNorm{.epsilon = epsilon, .width = graph.columns(x)},
                     {x, vector(name + (is_old ? ".gamma" : ".weight")), vector(name + (is_old ? ".beta" : ".bias"))});
}

TensorId Assembly::rms_norm(TensorId x, const std::string& name, float epsilon, const RmsOptions& options) {
  auto recipe = import::whole_tensor(checkpoint_, name + ".weight");
  if (recipe) {
    recipe->factor = options.factor;
    recipe->offset = options.offset;
  }
  const TensorId gain = weight(name + ".weight", std::move(recipe), true);
  const std::uint32_t width = options.width == 0 ? graph.columns(x) : options.width;
  return graph.apply(graph::RmsNorm{.epsilon = epsilon, .width = width}, {x, gain});
}

std::uint32_t Assembly::rows_of(const std::string& tensor) const {
  const auto recipe = import::whole_tensor(checkpoint_, tensor);
  return recipe ? recipe->rows : 0;
}

void Assembly::unsupported(std::string_view key, std::string_view value) {
  graph.refuse({Code::kOperatorNotSupported,
                "config: '" + std::string(key) + "' is " + std::string(value) + ", which this architecture does not do",
                std::string(key)});
}

Result<Model> Assembly::finish(Facts facts) {
  if (auto fits = config.status(); !fits) {
    return fail(std::move(fits.error()));
  }
  auto plan = std::move(graph).finish();
  if (!plan) {
    return fail(std::move(plan.error()));
  }
  recipes_.resize(plan->tensors.size());
  for (TensorId id = 0; id < plan->tensors.size(); ++id) {
    if (plan->tensors[id].kind == graph::TensorKind::kWeight) {
      if (auto fits = import::check(recipes_[id], checkpoint_); !fits) {
        return fail(std::move(fits.error()));
      }
    }
  }
  return Model{.plan = std::move(*plan), .recipes = std::move(recipes_), .facts = std::move(facts)};
}

Activation activation_of(Assembly& assembly, std::string_view key, std::string_view otherwise) {
  const std::string name = assembly.config.text(key, otherwise);
  const auto found = std::find_if(kActivations.begin(), kActivations.end(),
                                  [&](const ActivationRow& row) { return row.name == name; });
  if (found == kActivations.end()) {
    assembly.unsupported(key, "'" + name + "'");
    return Activation::kNone;
  }
  return found->activation;
}

}  // namespace shoal::archs
