#include "server/models/config_types.hpp"

namespace shoal::models {

// Numbers of inference::DataType and shoal::DataType agree up to FP64; the rest is named.
static_assert(static_cast<int>(DataType::kBool) == inference::TYPE_BOOL);
static_assert(static_cast<int>(DataType::kFp64) == inference::TYPE_FP64);

inference::DataType config_type(DataType type) {
  switch (type) {
    case DataType::kBytes:
      return inference::TYPE_STRING;
    case DataType::kBf16:
      return inference::TYPE_BF16;
    default:
      return static_cast<inference::DataType>(type);
  }
}

Result<DataType> datatype_of(inference::DataType type) {
  if (type == inference::TYPE_STRING) {
    return DataType::kBytes;
  }
  if (type == inference::TYPE_BF16) {
    return DataType::kBf16;
  }
  if (type < inference::TYPE_BOOL || type > inference::TYPE_FP64) {
    return fail(Code::kInvalidArgument, "data_type is missing or unknown");
  }
  return static_cast<DataType>(type);
}

}  // namespace shoal::models
