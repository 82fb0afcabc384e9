#include "server/pool/outbox.hpp"

#include <gtest/gtest.h>

#include "server/wire/frame.hpp"

namespace shoal::pool {
namespace {

std::shared_ptr<const std::vector<Tensor>> tensors(std::initializer_list<std::size_t> sizes) {
  auto result = std::make_shared<std::vector<Tensor>>();
  char fill = 'a';
  for (const std::size_t size : sizes) {
    result->push_back({.name = "x",
                       .datatype = DataType::kUint8,
                       .shape = {static_cast<std::int64_t>(size)},
                       .data = std::string(size, fill++)});
  }
  return result;
}

agent::v1::Envelope run(std::uint64_t work_id) {
  agent::v1::Envelope envelope;
  envelope.set_work_id(work_id);
  envelope.mutable_run()->set_instance("i");
  return envelope;
}

TEST(OutboxTest, CutsAtTheChunkAndKeepsTheOrderOfBytes) {
  Outbox outbox;
  const std::size_t chunk = wire::kMaxChunkBytes;
  const auto inputs = tensors({3, 0, 2 * chunk, 5});
  outbox.add(run(9), inputs);
  EXPECT_EQ(outbox.waiting_bytes(), 2 * chunk + 8);
  std::string received;
  std::vector<std::size_t> sizes;
  while (const auto message = outbox.next_frame()) {
    const auto frame = wire::decode_frame(*message);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->envelope.work_id(), 9U);
    EXPECT_EQ(frame->envelope.has_run(), sizes.empty());
    EXPECT_EQ(frame->envelope.has_chunk(), !sizes.empty());
    received += frame->payload;
    sizes.push_back(frame->payload.size());
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{chunk, chunk, 8}));
  EXPECT_EQ(received, (*inputs)[0].data + (*inputs)[2].data + (*inputs)[3].data);
  EXPECT_EQ(outbox.waiting_bytes(), 0U);
  EXPECT_EQ(inputs.use_count(), 1);
}

TEST(OutboxTest, ARunWithoutBytesIsOneFrame) {
  Outbox outbox;
  outbox.add(run(1), tensors({}));
  EXPECT_TRUE(outbox.next_frame());
  EXPECT_FALSE(outbox.next_frame());
}

TEST(OutboxTest, ASmallRunDoesNotWaitBehindALargeOne) {
  Outbox outbox;
  outbox.add(run(1), tensors({8 * wire::kMaxChunkBytes}));
  outbox.add(run(2), tensors({10}));
  std::vector<std::uint64_t> order;
  while (const auto message = outbox.next_frame()) {
    order.push_back(wire::decode_frame(*message)->envelope.work_id());
  }
  EXPECT_EQ(order, (std::vector<std::uint64_t>{1, 2, 1, 1, 1, 1, 1, 1, 1}));
}

TEST(OutboxTest, WhatIsRemovedSendsNothingMore) {
  Outbox outbox;
  outbox.add(run(1), tensors({2 * wire::kMaxChunkBytes}));
  outbox.add(run(2), tensors({10}));
  ASSERT_TRUE(outbox.next_frame());
  EXPECT_EQ(outbox.remove(1), Outbox::Removed::kPartlySent);
  EXPECT_EQ(outbox.remove(1), Outbox::Removed::kNotHere);
  EXPECT_EQ(outbox.remove(2), Outbox::Removed::kUnsent);
  EXPECT_EQ(outbox.waiting_bytes(), 0U);
  EXPECT_FALSE(outbox.next_frame());
}

TEST(OutboxTest, WhatFollowsAWorkComesBehindItsLastFrame) {
  Outbox outbox;
  agent::v1::Envelope mask;
  mask.set_work_id(9);
  mask.mutable_mask()->set_allowed("m");
  EXPECT_FALSE(outbox.follow(9, mask));
  outbox.add(run(9), tensors({2 * wire::kMaxChunkBytes}));
  outbox.add(run(8), tensors({1}));
  EXPECT_TRUE(outbox.follow(9, mask));
  std::vector<std::uint64_t> works;
  std::vector<bool> are_masks;
  while (const auto message = outbox.next_frame()) {
    const auto frame = wire::decode_frame(*message);
    ASSERT_TRUE(frame);
    works.push_back(frame->envelope.work_id());
    are_masks.push_back(frame->envelope.has_mask());
  }
  EXPECT_EQ(works, (std::vector<std::uint64_t>{9, 8, 9, 9}));
  EXPECT_EQ(are_masks, (std::vector<bool>{false, false, false, true}));
  EXPECT_FALSE(outbox.follow(9, mask));
  outbox.add(run(9), tensors({1}));
  EXPECT_TRUE(outbox.follow(9, mask));
  EXPECT_EQ(outbox.remove(9), Outbox::Removed::kUnsent);
  EXPECT_FALSE(outbox.next_frame());
}

}  // namespace
}  // namespace shoal::pool
