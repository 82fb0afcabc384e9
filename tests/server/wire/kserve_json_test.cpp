#include "server/wire/kserve_json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <nlohmann/json.hpp>

namespace shoal::wire {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

constexpr std::size_t kMax = std::size_t{1} << 20;

template <class T>
std::string raw(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(T)};
}

Result<InferBody> parse(std::string_view text) { return parse_infer(text, std::nullopt, kMax); }

std::string error_of(std::string_view text, std::optional<std::uint64_t> json_size = {}) {
  const auto body = parse_infer(text, json_size, kMax);
  return body ? "" : body.error().message;
}

std::string input(const std::string& datatype, const std::string& shape, const std::string& data) {
  return R"({"inputs":[{"name":"x","datatype":")" + datatype + R"(","shape":)" + shape + R"(,"data":)" + data + "}]}";
}

TEST(InferJson, TakesNestedFlatAndAnyOrderOfFields) {
  const auto nested = parse(input("FP32", "[2,2]", "[[1,2.5],[NaN,-1e3]]"));
  ASSERT_TRUE(nested) << nested.error().message;
  const auto& tensor = nested->inputs.front();
  EXPECT_EQ(tensor.shape, (Shape{2, 2}));
  EXPECT_EQ(tensor.data.substr(0, 8), raw({1.0F, 2.5F}));
  EXPECT_EQ(tensor.data.size(), 16U);
  const auto backwards = parse(
      R"({"outputs":[{"name":"y","parameters":{"binary_data":true}}],"id":"7",
          "inputs":[{"data":[-3,4],"shape":[2],"datatype":"INT16","name":"x"}],
          "parameters":{"priority":1,"big":18446744073709551615,"f":1.5,"s":"t","b":true,"binary_data_output":true}})");
  ASSERT_TRUE(backwards) << backwards.error().message;
  EXPECT_EQ(backwards->inputs.front().data, raw<std::int16_t>({-3, 4}));
  EXPECT_EQ(backwards->id, "7");
  EXPECT_TRUE(backwards->binary_output);
  EXPECT_EQ(backwards->outputs.front().binary, true);
  EXPECT_EQ(std::get<std::int64_t>(backwards->parameters.at("priority")), 1);
  EXPECT_EQ(std::get<std::uint64_t>(backwards->parameters.at("big")), std::numeric_limits<std::uint64_t>::max());
  EXPECT_FALSE(backwards->parameters.contains("binary_data_output"));
}

TEST(InferJson, TakesEveryDatatypeThatJsonCanSay) {
  const auto data = [](const std::string& datatype, const std::string& values) {
    const auto body = parse(input(datatype, "[2]", values));
    return body ? body->inputs.front().data : body.error().message;
  };
  EXPECT_EQ(data("BOOL", "[true,0]"), "\1\0"s);
  EXPECT_EQ(data("UINT8", "[0,255]"), raw<std::uint8_t>({0, 255}));
  EXPECT_EQ(data("UINT16", "[0,65535]"), raw<std::uint16_t>({0, 65535}));
  EXPECT_EQ(data("UINT32", "[0,4294967295]"), raw<std::uint32_t>({0, 4294967295U}));
  EXPECT_EQ(data("UINT64", "[0,18446744073709551615]"), raw<std::uint64_t>({0, ~std::uint64_t{0}}));
  EXPECT_EQ(data("INT8", "[-128,127]"), raw<std::int8_t>({-128, 127}));
  EXPECT_EQ(data("INT32", "[-2147483648,7]"), raw<std::int32_t>({std::numeric_limits<std::int32_t>::min(), 7}));
  EXPECT_EQ(data("INT64", "[-9223372036854775808,7]"),
            raw<std::int64_t>({std::numeric_limits<std::int64_t>::min(), 7}));
  EXPECT_EQ(data("FP64", "[0.1,-Infinity]"), raw<double>({0.1, -std::numeric_limits<double>::infinity()}));
  EXPECT_EQ(data("BYTES", R"(["hi",""])"), "\2\0\0\0hi\0\0\0\0"s);
  EXPECT_THAT(data("FP16", "[1,2]"), HasSubstr("Please use the binary data format for input 'x'"));
  EXPECT_THAT(data("BF16", "[1,2]"), HasSubstr("Please use the binary data format"));
  EXPECT_THAT(data("UINT8", "[256]"), HasSubstr("is no UINT8"));
  EXPECT_THAT(data("INT32", "[1.5]"), HasSubstr("is no INT32"));
  EXPECT_THAT(data("FP32", "[\"1\"]"), HasSubstr("is no FP32"));
  EXPECT_THAT(data("BYTES", "[1]"), HasSubstr("is no BYTES"));
}

TEST(InferJson, CutsBinaryTensorsFromTheRest) {
  const std::string json =
      R"({"inputs":[{"name":"a","datatype":"INT8","shape":[3],"parameters":{"binary_data_size":3}},)"
      R"({"name":"b","datatype":"UINT8","shape":[1],"data":[9]},)"
      R"({"name":"c","datatype":"FP16","shape":[1],"parameters":{"binary_data_size":2}}]})";
  const auto body = parse_infer(json + "\1\2\3\4\5", json.size(), kMax);
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_EQ(body->inputs[0].data, "\1\2\3");
  EXPECT_EQ(body->inputs[1].data, "\x9");
  EXPECT_EQ(body->inputs[2].data, "\4\5");
  EXPECT_THAT(error_of(json + "\1\2\3\4", json.size()),
              HasSubstr("unexpected size for input 'c', expecting 1 additional bytes"));
  EXPECT_THAT(error_of(json + "\1\2\3\4\5\6", json.size()), HasSubstr("unexpected additional input data"));
  EXPECT_THAT(error_of(json, json.size() + 1), HasSubstr("but the body has"));
  EXPECT_THAT(error_of(json, std::uint64_t{99999999999}), HasSubstr("but the body has"));
}

TEST(InferJson, SaysWhatIsWrong) {
  EXPECT_THAT(error_of("{}"), HasSubstr("no 'inputs'"));
  EXPECT_THAT(error_of("[]"), HasSubstr("expected an object"));
  EXPECT_THAT(error_of(R"({"inputs":{}})"), HasSubstr("expected an array"));
  EXPECT_THAT(error_of(R"({"inputs":[{}]})"), HasSubstr("no 'name'"));
  EXPECT_THAT(error_of(R"({"inputs":[{"name":"x","shape":[1],"data":[1]}]})"), HasSubstr("no 'datatype'"));
  EXPECT_THAT(error_of(R"({"inputs":[{"name":"x","datatype":"FP32","data":[1]}]})"), HasSubstr("no 'shape'"));
  EXPECT_THAT(error_of(R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]})"), HasSubstr("sets none"));
  EXPECT_THAT(error_of(R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1],
                           "parameters":{"binary_data_size":4}}]})"),
              HasSubstr("sets both"));
  EXPECT_THAT(error_of(input("FP33", "[1]", "[1]")), HasSubstr("unknown datatype 'FP33'"));
  EXPECT_THAT(error_of(input("FP32", "[-1]", "[1]")), HasSubstr("negative dimension"));
  EXPECT_THAT(error_of(input("FP32", "[1.5]", "[1]")), HasSubstr("expected an integer"));
  EXPECT_THAT(error_of(input("FP32", "[4294967296,4294967296,4294967296]", "[1]")), HasSubstr("exceed maximum size"));
  EXPECT_THAT(error_of(input("FP32", "[1]", std::string(101, '[') + "1" + std::string(101, ']'))),
              HasSubstr("deeper than 100"));
  EXPECT_THAT(error_of(R"({"parameters":{"p":{"a":1}},"inputs":[]})"), HasSubstr("parameter 'p' has invalid type"));
  EXPECT_THAT(error_of(R"({"parameters":{"binary_data_output":1},"inputs":[]})"), HasSubstr("true or false"));
  EXPECT_THAT(error_of(R"({"outputs":[{"name":"y","parameters":{"shared_memory_region":"r"}}],"inputs":[]})"),
              HasSubstr("'shared_memory_region', which this server does not offer"));
  EXPECT_THAT(error_of(R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],
                           "parameters":{"shared_memory_region":"r"}}]})"),
              HasSubstr("shared memory"));
  EXPECT_THAT(error_of(R"({"inputs":[{"name":"x","datatype":"INT8","shape":[1],
                           "parameters":{"binary_data_size":-1}}]})"),
              HasSubstr("must be an integer >= 0"));
  const auto huge = parse_infer(input("FP64", "[9]", "[1,1,1,1,1,1,1,1,1]"), std::nullopt, 64);
  EXPECT_THAT(huge.error().message, HasSubstr("exceeds the maximum allowed input size of 64 bytes"));
}

TEST(InferAnswer, IsJsonThatReadsBack) {
  const std::vector<Tensor> outputs = {
      {"f", DataType::kFp32, {2}, raw({0.5F, -3.0F})},
      {"b", DataType::kBool, {2}, "\1\0"s},
      {"t", DataType::kBytes, {2}, "\3\0\0\0a\"\n\2\0\0\0\xc3\xa9"s},
      {"u", DataType::kUint64, {1}, raw<std::uint64_t>({~std::uint64_t{0}})},
      {"e", DataType::kFp32, {0, 3}, ""},
  };
  const auto encoded = write_infer({.model = "m",
                                    .version = "1",
                                    .id = "q\"",
                                    .parameters = {{"shoal_backend", "wasm"}, {"shoal_queue_us", std::int64_t{5}}},
                                    .outputs = outputs,
                                    .binary = std::vector<bool>(outputs.size())});
  ASSERT_TRUE(encoded);
  EXPECT_FALSE(encoded->json_size);
  const auto document = nlohmann::json::parse(encoded->body);
  EXPECT_EQ(document["id"], "q\"");
  EXPECT_EQ(document["parameters"]["shoal_queue_us"], 5);
  EXPECT_EQ(document["outputs"][0]["data"], (std::vector<float>{0.5F, -3.0F}));
  EXPECT_EQ(document["outputs"][1]["data"], (std::vector<bool>{true, false}));
  EXPECT_EQ(document["outputs"][2]["data"], (std::vector<std::string>{"a\"\n", "\u00e9"}));
  EXPECT_EQ(document["outputs"][3]["data"][0], ~std::uint64_t{0});
  EXPECT_EQ(document["outputs"][4]["data"].size(), 0U);
  EXPECT_EQ(document["outputs"][4]["shape"], (std::vector<int>{0, 3}));
}

TEST(InferAnswer, PutsBinaryBehindTheJson) {
  const std::vector<Tensor> outputs = {{"a", DataType::kBf16, {1}, "\1\2"},
                                       {"b", DataType::kInt8, {1}, "\3"},
                                       {"c", DataType::kBytes, {1}, "\1\0\0\0\xff"s}};
  const auto encoded = write_infer(
      {.model = "m", .version = "1", .id = "", .parameters = {}, .outputs = outputs, .binary = {true, false, true}});
  ASSERT_TRUE(encoded && encoded->json_size);
  const auto document = nlohmann::json::parse(encoded->body.substr(0, *encoded->json_size));
  EXPECT_FALSE(document.contains("id"));
  EXPECT_EQ(document["outputs"][0]["parameters"]["binary_data_size"], 2);
  EXPECT_EQ(document["outputs"][1]["data"][0], 3);
  EXPECT_EQ(encoded->body.substr(*encoded->json_size), "\1\2\1\0\0\0\xff"s);
}

TEST(InferAnswer, RefusesWhatJsonCannotSay) {
  const auto error = [](Tensor tensor) {
    const std::vector<Tensor> outputs = {std::move(tensor)};
    const auto encoded =
        write_infer({.model = "m", .version = "1", .id = "", .parameters = {}, .outputs = outputs, .binary = {false}});
    return encoded ? "" : encoded.error().message;
  };
  EXPECT_THAT(error({"t", DataType::kBytes, {1}, "\1\0\0\0\xff"s}), HasSubstr("ask for it in binary"));
  EXPECT_THAT(error({"h", DataType::kFp16, {1}, "\1\2"}), HasSubstr("ask for output 'h' in binary"));
  std::string nan = error({"n", DataType::kFp32, {1}, raw({std::numeric_limits<float>::quiet_NaN()})});
  EXPECT_EQ(nan, "");
}

}  // namespace
}  // namespace shoal::wire
