#include "server/schedule/shape_bucket.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

namespace shoal::schedule {
namespace {

Tensor counting(const Shape& shape) {
  std::size_t count = 1;
  for (const std::int64_t dim : shape) {
    count *= static_cast<std::size_t>(dim);
  }
  std::vector<std::int32_t> values(count);
  std::iota(values.begin(), values.end(), 1);
  return {"x", DataType::kInt32, shape, std::string(reinterpret_cast<const char*>(values.data()), count * 4)};
}

std::vector<std::int32_t> values_of(const Tensor& tensor) {
  std::vector<std::int32_t> values(tensor.data.size() / 4);
  std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
  return values;
}

TEST(Buckets, PicksTheNextSizeOfEachDimension) {
  const Buckets buckets = {{"batch_size", {1, 8}}, {"sequence_length", {32, 128, 512}}};
  const auto dims = bucket_of(buckets, {{"batch_size", 2}, {"sequence_length", 32}, {"other", 7}});
  ASSERT_TRUE(dims);
  EXPECT_EQ(*dims, (Dimensions{{"batch_size", 8}, {"sequence_length", 32}, {"other", 7}}));
  EXPECT_EQ(bucket_of(buckets, {{"sequence_length", 513}}).error().param, "sequence_length");
}

TEST(Pad, PutsZerosBehindEachDimension) {
  const Tensor padded = pad(counting({2, 2}), {3, 4});
  EXPECT_EQ(padded.shape, (Shape{3, 4}));
  EXPECT_EQ(values_of(padded), (std::vector<std::int32_t>{1, 2, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0}));
}

TEST(Crop, UndoesPad) {
  for (const Shape& shape : {Shape{2, 3, 4}, Shape{1, 1, 1}, Shape{5, 1, 2}}) {
    Shape larger = shape;
    for (std::int64_t& dim : larger) {
      dim += 3;
    }
    const Tensor original = counting(shape);
    EXPECT_EQ(crop(pad(original, larger), shape).data, original.data);
  }
}

TEST(Crop, HandlesScalarsAndEmptyTensors) {
  EXPECT_EQ(values_of(pad(counting({}), {})), std::vector<std::int32_t>{1});
  EXPECT_EQ(values_of(pad(counting({0, 2}), {1, 2})), (std::vector<std::int32_t>{0, 0}));
  EXPECT_TRUE(crop(counting({2, 2}), {0, 2}).data.empty());
}

}  // namespace
}  // namespace shoal::schedule
