// The datatypes of config.pbtxt and Shoal's own. Pure.
#pragma once

#include "engine/core/result.hpp"
#include "inference/model_config.pb.h"
#include "server/core/tensor.hpp"

namespace shoal::models {

inference::DataType config_type(DataType type);
// kInvalidArgument for TYPE_INVALID, which is what an absent data_type reads as, and for numbers that are no type.
Result<DataType> datatype_of(inference::DataType type);

}  // namespace shoal::models
