#include "server/wire/agent_messages.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace shoal::wire {
namespace {

agent::v1::Tensor message(agent::v1::DataType datatype, std::initializer_list<std::uint64_t> shape,
                          std::uint64_t bytes) {
  agent::v1::Tensor tensor;
  tensor.set_name("y");
  tensor.set_datatype(datatype);
  for (const std::uint64_t dimension : shape) {
    tensor.add_shape(dimension);
  }
  tensor.set_byte_size(bytes);
  return tensor;
}

TEST(AgentMessagesTest, TensorsKeepEverything) {
  const Tensor tensor{.name = "x", .datatype = DataType::kBf16, .shape = {2, 0, 3}, .data = ""};
  agent::v1::Tensor wire;
  tensor_to_wire(tensor, wire);
  const Result<TensorHeader> back = tensor_from_wire(wire);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->tensor.name, "x");
  EXPECT_EQ(back->tensor.datatype, DataType::kBf16);
  EXPECT_EQ(back->tensor.shape, (Shape{2, 0, 3}));
  EXPECT_EQ(back->byte_size, 0U);
}

TEST(AgentMessagesTest, TensorsFromABrowserAreChecked) {
  EXPECT_TRUE(tensor_from_wire(message(agent::v1::FP32, {2, 3}, 24)));
  EXPECT_TRUE(tensor_from_wire(message(agent::v1::BYTES, {2}, 77)));
  EXPECT_FALSE(tensor_from_wire(message(agent::v1::FP32, {2, 3}, 23)));
  EXPECT_FALSE(tensor_from_wire(message(agent::v1::DATA_TYPE_UNSPECIFIED, {1}, 1)));
  EXPECT_FALSE(tensor_from_wire(message(static_cast<agent::v1::DataType>(99), {1}, 1)));
  EXPECT_FALSE(tensor_from_wire(message(agent::v1::INT8, {std::numeric_limits<std::uint64_t>::max()}, 8)));
  EXPECT_FALSE(tensor_from_wire(message(agent::v1::INT8, {1ULL << 40, 1ULL << 40}, 0)));
  agent::v1::Tensor deep = message(agent::v1::INT8, {}, 1);
  for (int dimension = 0; dimension < 33; ++dimension) {
    deep.add_shape(1);
  }
  EXPECT_FALSE(tensor_from_wire(deep));
}

TEST(AgentMessagesTest, ErrorsKeepCodeAndWords) {
  agent::v1::Error wire;
  wire.set_code(core::v1::OPERATOR_NOT_SUPPORTED);
  wire.set_message("no kernel");
  wire.set_operator_("Einsum");
  wire.set_detail("Error: at foo.js");
  const Error error = error_from_wire(wire);
  EXPECT_EQ(error.code, Code::kOperatorNotSupported);
  EXPECT_EQ(error.message, "no kernel (operator Einsum): Error: at foo.js");
}

TEST(AgentMessagesTest, UnknownCodesAreInternalAndLongTextsAreCutAtACharacter) {
  agent::v1::Error wire;
  wire.set_code(static_cast<core::v1::Code>(77));
  EXPECT_EQ(error_from_wire(wire).code, Code::kInternal);
  EXPECT_FALSE(error_from_wire(wire).message.empty());
  std::string text = "x";
  for (int count = 0; count < 10000; ++count) {
    text += "\xC3\xA9";
  }
  wire.set_message(text);
  const std::string message = error_from_wire(wire).message;
  EXPECT_LT(message.size(), 8193U);
  EXPECT_EQ(message.back(), '\xA9');
}

TEST(AgentMessagesTest, BackendsAreWhatIsAllowedAndThere) {
  agent::v1::Capabilities capabilities;
  capabilities.set_wasm_simd(true);
  capabilities.mutable_webgpu()->set_available(true);
  capabilities.mutable_webgpu()->set_is_fallback_adapter(true);
  agent::v1::WebNn* cpu = capabilities.add_webnn();
  cpu->set_device_type("cpu");
  cpu->set_why_not("WebNN is not supported on this platform");
  agent::v1::WebNn* gpu = capabilities.add_webnn();
  gpu->set_device_type("gpu");
  gpu->set_available(true);

  const BackendProbe all = probe_backends(capabilities, kBackends);
  EXPECT_EQ(all.usable, (std::vector<Backend>{Backend::kWasm, Backend::kWebgpu}));
  EXPECT_EQ(all.why_not.at(Backend::kWebnn), "WebNN is not supported on this platform");
  EXPECT_EQ(all.adapter, "software");

  cpu->set_available(true);
  const std::vector<Backend> only_webnn = {Backend::kWebnn};
  EXPECT_EQ(probe_backends(capabilities, only_webnn).usable, only_webnn);

  capabilities.mutable_webgpu()->set_is_fallback_adapter(false);
  EXPECT_EQ(probe_backends(capabilities, kBackends).adapter, "hardware");
  capabilities.mutable_webgpu()->set_architecture("swiftshader");
  EXPECT_EQ(probe_backends(capabilities, kBackends).adapter, "software");
}

TEST(AgentMessagesTest, ABrowserThatSaysNothingCanDoNothing) {
  const BackendProbe probe = probe_backends({}, kBackends);
  EXPECT_TRUE(probe.usable.empty());
  EXPECT_EQ(probe.why_not.size(), 3U);
  EXPECT_TRUE(probe.adapter.empty());
}

TEST(AgentMessagesTest, AProbeThatCameTooLateIsTheReason) {
  agent::v1::Capabilities capabilities;
  for (const char* backend : {"webgpu", "webnn"}) {
    agent::v1::Benchmark& benchmark = *capabilities.add_benchmarks();
    benchmark.set_backend(backend);
    benchmark.set_why_not("the probe did not end within 6000 ms");
  }
  const BackendProbe probe = probe_backends(capabilities, kBackends);
  EXPECT_EQ(probe.why_not.at(Backend::kWebgpu), "the probe did not end within 6000 ms");
  EXPECT_EQ(probe.why_not.at(Backend::kWebnn), "the probe did not end within 6000 ms");
}

}  // namespace
}  // namespace shoal::wire
