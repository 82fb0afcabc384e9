#include "engine/archs/gpt.hpp"

namespace shoal::archs {

TensorId gpt_layer(Assembly& a, TensorId x, const GptNames& names, const GptSize& size,
                   const std::function<TensorId(TensorId)>& attend) {
  const TensorId context = attend(a.layer_norm(x, names.attention_norm, size.epsilon));
  x = a.linear(context, {names.attention_output}, {.residual = x, .transposed = size.transposed});
  TensorId h = a.layer_norm(x, names.up_norm, size.epsilon);
  h = a.linear(h, {names.up}, {.activation = size.activation, .transposed = size.transposed});
  return a.linear(h, {names.down}, {.residual = x, .transposed = size.transposed});
}

}  // namespace shoal::archs
