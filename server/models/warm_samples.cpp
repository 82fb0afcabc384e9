#include "server/models/warm_samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>
#include <string_view>
#include <utility>

#include "inference/model_config.pb.h"
#include "server/core/ids.hpp"
#include "server/models/config_types.hpp"
#include "server/models/read_file.hpp"
#include "server/models/validate.hpp"

namespace shoal::models {
namespace {

using Said = inference::ModelWarmup::Input;

constexpr std::string_view kFolder = "warmup";

std::unexpected<Error> bad(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

template <class Number>
void append(std::string& bytes, Number number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

std::string random_row(DataType type, std::uint64_t elements, std::mt19937_64& random) {
  std::string bytes;
  const auto below = [&random](std::uint64_t limit) { return random() % limit; };
  for (std::uint64_t element = 0; element < elements; ++element) {
    switch (type) {
      case DataType::kFp32:
        append(bytes, static_cast<float>(below(1U << 24)) / static_cast<float>(1U << 24));
        break;
      case DataType::kFp64:
        append(bytes, static_cast<double>(below(1U << 24)) / static_cast<double>(1U << 24));
        break;
      case DataType::kFp16:
        append(bytes, static_cast<std::uint16_t>(below(0x3C00)));  // below the bits of 1: a number from 0 to 1
        break;
      case DataType::kBf16:
        append(bytes, static_cast<std::uint16_t>(below(0x3F80)));  // the same
        break;
      default: {
        std::string integer(datatype_size(type), '\0');
        integer.front() = static_cast<char>(below(2));  // little-endian
        bytes += integer;
      }
    }
  }
  return bytes;
}

std::string input_names(const ModelVersion& model) {
  std::string names;
  for (const TensorSignature& input : model.inputs) {
    names += (names.empty() ? "" : ", ") + input.name;
  }
  return names;
}

// The data of one row.
Result<std::string> row_of(const Said& said, const Tensor& row, std::uint64_t elements,
                           const std::filesystem::path& model_folder, std::mt19937_64& random) {
  const bool is_bytes = row.datatype == DataType::kBytes;
  const std::uint64_t size = elements * (is_bytes ? sizeof(std::uint32_t) : datatype_size(row.datatype));
  switch (said.input_data_type_case()) {
    case Said::kZeroData:
      return std::string(size, '\0');
    case Said::kRandomData:
      return is_bytes ? std::string(size, '\0') : random_row(row.datatype, elements, random);
    case Said::kInputDataFile: {
      if (!is_plain_name(said.input_data_file())) {
        return bad(fmt::format("input_data_file '{}' is not a plain file name", said.input_data_file()));
      }
      auto text = read_file(model_folder / kFolder / said.input_data_file(), kMaxWarmBytes);
      if (!text) {
        return bad("input_data_file: " + text.error().message);
      }
      if (!is_bytes && text->size() != size) {
        return bad(fmt::format("input_data_file '{}' has {} bytes, a row of {} {} has {}", said.input_data_file(),
                               text->size(), datatype_name(row.datatype), shape_text(row.shape), size));
      }
      return text;
    }
    case Said::INPUT_DATA_TYPE_NOT_SET:
      break;
  }
  return bad("one of zero_data, random_data and input_data_file must be set");
}

Result<Tensor> tensor_of(const std::string& name, const Said& said, std::uint32_t batch, const ModelVersion& model,
                         const std::filesystem::path& model_folder, std::mt19937_64& random) {
  if (model.input(name) == nullptr) {
    return bad(fmt::format("the model has no input of this name; it has {}", input_names(model)));
  }
  const auto type = datatype_of(said.data_type());
  if (!type) {
    return bad(type.error().message);
  }
  Tensor tensor{.name = name, .datatype = *type, .shape = {said.dims().begin(), said.dims().end()}, .data = {}};
  const auto elements = element_count(tensor.shape, "dims");
  if (!elements) {
    return bad(elements.error().message);
  }
  if (*elements * std::max<std::uint64_t>(datatype_size(*type), 4) > kMaxWarmBytes / batch) {
    return bad(
        fmt::format("dims: {} rows of {} are more than {} bytes", batch, shape_text(tensor.shape), kMaxWarmBytes));
  }
  auto row = row_of(said, tensor, *elements, model_folder, random);
  if (!row) {
    return fail(std::move(row.error()));
  }
  if (row->size() > kMaxWarmBytes / batch) {
    return bad(fmt::format("input_data_file: {} rows of it are more than {} bytes", batch, kMaxWarmBytes));
  }
  for (std::uint32_t at = 0; at < batch; ++at) {
    tensor.data += *row;
  }
  if (model.max_batch_size > 0) {
    tensor.shape.insert(tensor.shape.begin(), batch);
  }
  return tensor;
}

Result<WarmSample> sample_of(const inference::ModelWarmup& said, const ModelVersion& model,
                             const std::filesystem::path& model_folder, std::mt19937_64& random) {
  const std::int64_t most = std::max<std::int64_t>(model.max_batch_size, 1);
  if (said.batch_size() > most) {
    return bad(fmt::format("batch_size is {}, it must be 1 to {}", said.batch_size(), most));
  }
  if (said.count() > kMaxWarmRuns) {
    return bad(fmt::format("count is {}, the limit is {}", said.count(), kMaxWarmRuns));
  }
  WarmSample sample{.name = said.name(), .inputs = {}, .runs = std::max(said.count(), 1U)};
  // In the model's order: the map has none, and the digest and what is drawn must not depend on it.
  for (const auto& [name, input] : std::map(said.inputs().begin(), said.inputs().end())) {
    auto tensor = tensor_of(name, input, said.batch_size(), model, model_folder, random);
    if (!tensor) {
      return fail(std::move(tensor.error()).with(fmt::format("inputs['{:.100}']", name)));
    }
    sample.inputs.push_back(*std::move(tensor));
  }
  if (Status valid = validate(model, sample.inputs, {}); !valid) {
    return fail(std::move(valid.error()).with("inputs"));
  }
  return sample;
}

std::string digest_of(const std::vector<WarmSample>& samples) {
  std::string text;
  for (const WarmSample& sample : samples) {
    text += fmt::format("{};", sample.runs);
    for (const Tensor& tensor : sample.inputs) {
      text += fmt::format("{}{}{}={};", tensor.name, datatype_name(tensor.datatype), shape_text(tensor.shape),
                          tensor.data.size());
      text += tensor.data;
    }
  }
  return sha256_hex(text.data(), text.size()).substr(0, 16);
}

}  // namespace

Result<std::shared_ptr<const WarmSamples>> read_warm_samples(const std::filesystem::path& model_folder,
                                                             const inference::ModelConfig& config,
                                                             const ModelVersion& model) {
  if (static_cast<std::size_t>(config.model_warmup_size()) > kMaxWarmSamples) {
    return bad(fmt::format("model_warmup: {} samples, the limit is {}", config.model_warmup_size(), kMaxWarmSamples));
  }
  std::mt19937_64 random(20'261'130);
  auto warm = std::make_shared<WarmSamples>();
  std::uint64_t bytes = 0;
  for (int at = 0; at < config.model_warmup_size(); ++at) {
    const inference::ModelWarmup& said = config.model_warmup(at);
    if (said.batch_size() == 0) {
      continue;
    }
    const std::string where = fmt::format("model_warmup[{}] '{:.100}'", at, said.name());
    auto sample = sample_of(said, model, model_folder, random);
    if (!sample) {
      return fail(std::move(sample.error()).with(where));
    }
    bytes += total_bytes(sample->inputs);
    if (bytes > kMaxWarmBytes) {
      return bad(fmt::format("{}: the samples have more than {} bytes", where, kMaxWarmBytes));
    }
    warm->samples.push_back(*std::move(sample));
  }
  if (warm->samples.empty()) {
    return std::shared_ptr<const WarmSamples>();
  }
  warm->inputs = model.inputs;
  warm->is_decoupled = model.is_decoupled;
  warm->buckets = model.webnn_buckets;
  warm->digest = digest_of(warm->samples);
  return warm;
}

}  // namespace shoal::models
