#include "server/core/tensor.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "server/core/error_table.hpp"

namespace shoal {
namespace {

TEST(DataTypes, NamesRoundTrip) {
  for (std::size_t index = 1; index <= kDataTypeCount; ++index) {
    const auto type = static_cast<DataType>(index);
    EXPECT_EQ(datatype_from(datatype_name(type)), type);
  }
  EXPECT_FALSE(datatype_from("fp32"));
  EXPECT_EQ(datatype_size(DataType::kBf16), 2U);
  EXPECT_EQ(datatype_size(DataType::kBytes), 0U);
}

TEST(ElementCount, RefusesNegativeAndOverflowingShapes) {
  EXPECT_EQ(*element_count(Shape{}, "x"), 1U);
  EXPECT_EQ(*element_count(Shape{2, 3, 4}, "x"), 24U);
  EXPECT_EQ(*element_count(Shape{2, 0}, "x"), 0U);
  EXPECT_EQ(element_count(Shape{2, -1}, "x").error().code, Code::kInvalidArgument);
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  EXPECT_NE(element_count(Shape{huge, huge}, "x").error().message.find("exceed"), std::string::npos);
  EXPECT_FALSE(element_count(Shape{0, huge, huge}, "x"));
}

TEST(ByteSize, NamesTheInputAndBothNumbers) {
  Tensor tensor{"ids", DataType::kInt64, {1, 4}, std::string(40, '\0')};
  const Status status = check_byte_size(tensor, "minilm");
  EXPECT_EQ(status.error().message, "input byte size mismatch for input 'ids' for model 'minilm'. Expected 32, got 40");
  EXPECT_EQ(status.error().param, "ids");
  tensor.data.resize(32);
  EXPECT_TRUE(check_byte_size(tensor, "minilm"));
}

TEST(ByteSize, CountsStringElements) {
  using namespace std::string_literals;
  Tensor tensor{"text", DataType::kBytes, {2}, "\x02\0\0\0hi\0\0\0\0"s};
  EXPECT_TRUE(check_byte_size(tensor, "m"));
  tensor.shape = {3};
  EXPECT_EQ(check_byte_size(tensor, "m").error().message,
            "expected 3 string elements for inference input 'text' for model 'm', got 2");
  tensor.data = "\x02\0\0"s;
  EXPECT_NE(check_byte_size(tensor, "m").error().message.find("incomplete string length"), std::string::npos);
  tensor.data = "\xFF\xFF\xFF\xFFhi"s;
  EXPECT_NE(check_byte_size(tensor, "m").error().message.find("incomplete string data"), std::string::npos);
}

TEST(ErrorTable, OverloadIsRetryableOnBothProtocols) {
  const ErrorRow& row = error_row(Code::kOverloaded);
  EXPECT_EQ(row.kserve_http, 503);
  EXPECT_EQ(row.openai_http, 429);
  EXPECT_TRUE(row.retry_after);
}

}  // namespace
}  // namespace shoal
