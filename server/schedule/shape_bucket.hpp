// Static shapes: a graph is built for a few sizes of its symbolic dimensions (buckets), inputs are padded with zeros up
// to the next bucket and outputs are cut back. Right only for models whose config declares buckets: there a zero in the
// attention mask takes the padding out of the result. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/core/result.hpp"
#include "server/core/tensor.hpp"

namespace shoal::schedule {

// Symbolic dimension to its allowed sizes, ascending.
using Buckets = std::map<std::string, std::vector<std::int64_t>>;
using Dimensions = std::map<std::string, std::int64_t>;

// The smallest bucket that holds each of `actual`; dimensions without buckets stay as they are. kInvalidArgument when
// one is larger than its largest bucket.
Result<Dimensions> bucket_of(const Buckets& buckets, const Dimensions& actual);

// `tensor` enlarged to `shape` with zeros at the end of each dimension. Not for BYTES. shape[i] >= tensor.shape[i].
Tensor pad(const Tensor& tensor, const Shape& shape);

// The leading part of `tensor` of size `shape`. Not for BYTES. shape[i] <= tensor.shape[i].
Tensor crop(const Tensor& tensor, const Shape& shape);

}  // namespace shoal::schedule
