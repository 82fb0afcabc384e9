#include "server/pool/work_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/wire/agent_messages.hpp"

namespace shoal::pool {

namespace {

// What is reserved on a browser's word alone.
constexpr std::uint64_t kMaxReserve = 1U << 20;

std::unexpected<Error> breach(std::uint64_t work_id, std::string_view what) {
  return fail(Code::kInvalidArgument, fmt::format("work {}: {}", work_id, what));
}

LoadOutcome load_outcome(const agent::v1::Loaded& message) {
  LoadOutcome outcome;
  outcome.nodes.insert(message.nodes().begin(), message.nodes().end());
  outcome.heavy_elsewhere.assign(message.heavy_elsewhere().begin(), message.heavy_elsewhere().end());
  outcome.fetch_us = message.fetch_us();
  outcome.build_us = message.build_us();
  outcome.from_cache = message.from_cache();
  outcome.memory_bytes = message.memory_bytes();
  return outcome;
}

}  // namespace

void WorkTable::add_load(std::uint64_t work_id, std::string backend, TimePoint answer_by, Loaded done) {
  items_[work_id] = Item{.backend = std::move(backend), .answer_by = answer_by, .loaded = std::move(done)};
}

void WorkTable::add_run(std::uint64_t work_id, std::string backend, TimePoint answer_by, Ran done) {
  items_[work_id] = Item{.backend = std::move(backend), .answer_by = answer_by, .ran = std::move(done)};
}

void WorkTable::stream(std::uint64_t work_id, Partial partial, std::function<void()> more) {
  if (const auto found = items_.find(work_id); found != items_.end()) {
    found->second.partial = std::move(partial);
    found->second.more = std::move(more);
  }
}

WorkTable::Answer WorkTable::go_on(std::uint64_t work_id) {
  const auto found = items_.find(work_id);
  if (found == items_.end()) {
    return [] {};
  }
  found->second.is_held = false;
  return give(found->second);
}

WorkTable::Answer WorkTable::give(Item& item) {
  if (!item.partial || item.is_held || item.is_given_up || item.parts.is_empty()) {
    return [] {};
  }
  item.is_held = true;
  return [partial = item.partial, more = item.more, outcome = RunOutcome{.outputs = item.parts.take()}]() mutable {
    partial(std::move(outcome), more);
  };
}

void WorkTable::add_unload(std::uint64_t work_id, TimePoint answer_by) {
  items_[work_id] = Item{.answer_by = answer_by};
}

void WorkTable::keep(std::uint64_t work_id, Request request) {
  if (const auto found = items_.find(work_id); found != items_.end()) {
    found->second.request = std::move(request);
  }
}

void WorkTable::keep_mask(std::uint64_t work_id, agent::v1::Envelope mask) {
  if (const auto found = items_.find(work_id); found != items_.end()) {
    found->second.request.mask = std::move(mask);
  }
}

void WorkTable::cancelled(std::uint64_t work_id) {
  if (const auto found = items_.find(work_id); found != items_.end()) {
    found->second.request.is_cancelled = true;
  }
}

std::vector<const WorkTable::Request*> WorkTable::restart() {
  std::vector<const Request*> requests;
  for (auto& [work_id, item] : items_) {
    item.outputs.clear();
    item.byte_sizes.clear();
    item.filling = 0;
    item.declared_bytes = 0;
    item.parts.restart();
    requests.push_back(&item.request);
  }
  return requests;
}

Result<WorkTable::Item*> WorkTable::running(std::uint64_t work_id) {
  const auto found = items_.find(work_id);
  if (found == items_.end() || (!found->second.ran && !found->second.is_given_up)) {
    return breach(work_id, "an output for what is no run in hand");
  }
  return &found->second;
}

Result<WorkTable::Answer> WorkTable::output(std::uint64_t work_id, const agent::v1::Output& message,
                                            std::string_view payload) {
  const Result<Item*> item = running(work_id);
  if (!item) {
    return fail(item.error());
  }
  Item& run = **item;
  if (run.filling < run.outputs.size()) {
    return breach(work_id, "an output begins before the last one is complete");
  }
  for (const agent::v1::Tensor& declared : message.tensors()) {
    Result<wire::TensorHeader> header = wire::tensor_from_wire(declared);
    if (!header) {
      return breach(work_id, header.error().message);
    }
    if (header->byte_size > max_output_bytes_ - run.declared_bytes) {
      return breach(work_id, fmt::format("outputs of more than {} bytes", max_output_bytes_));
    }
    run.declared_bytes += header->byte_size;
    header->tensor.data.reserve(std::min(header->byte_size, kMaxReserve));
    run.byte_sizes.push_back(header->byte_size);
    run.outputs.push_back(std::move(header->tensor));
  }
  return fill(work_id, run, payload);
}

Result<WorkTable::Answer> WorkTable::chunk(std::uint64_t work_id, std::string_view payload) {
  const Result<Item*> item = running(work_id);
  return item ? fill(work_id, **item, payload) : fail(item.error());
}

Result<WorkTable::Answer> WorkTable::fill(std::uint64_t work_id, Item& item, std::string_view payload) {
  for (; item.filling < item.outputs.size(); ++item.filling) {
    std::string& data = item.outputs[item.filling].data;
    const std::size_t count = std::min<std::uint64_t>(item.byte_sizes[item.filling] - data.size(), payload.size());
    data.append(payload.substr(0, count));
    payload.remove_prefix(count);
    if (data.size() < item.byte_sizes[item.filling]) {
      break;
    }
  }
  if (!payload.empty()) {
    return breach(work_id, fmt::format("{} bytes beyond its outputs", payload.size()));
  }
  if (!item.partial || item.filling < item.outputs.size()) {
    return [] {};
  }
  item.byte_sizes.clear();
  item.filling = 0;
  if (auto added = item.parts.add(std::exchange(item.outputs, {})); !added) {
    return breach(work_id, added.error().message);
  }
  return give(item);
}

Result<WorkTable::Answer> WorkTable::end(std::uint64_t work_id, const agent::v1::End& message) {
  const auto found = items_.find(work_id);
  if (found == items_.end()) {
    return breach(work_id, "an end for what is not in hand");
  }
  if (found->second.filling < found->second.outputs.size()) {
    return breach(work_id, "an end before its output is complete");
  }
  for (const Tensor& tensor : found->second.outputs) {
    if (tensor.datatype != DataType::kBytes) {
      continue;
    }
    const auto declared = element_count(tensor.shape, tensor.name);
    const auto held = bytes_element_count(tensor.data, tensor.name);
    if (!held || !declared || *held != *declared) {
      return breach(work_id, fmt::format("output '{}' does not hold as many elements as its shape", tensor.name));
    }
  }
  Item item = std::move(found->second);
  items_.erase(found);
  if (item.loaded) {
    return [done = std::move(item.loaded), outcome = load_outcome(message.loaded())]() mutable {
      done(std::move(outcome));
    };
  }
  if (item.ran) {
    RunOutcome outcome{.outputs = item.partial ? item.parts.take() : std::move(item.outputs),
                       .compute_us = message.compute_us(),
                       .agent_queue_us = message.queue_us(),
                       .finish_reason = message.finish_reason(),
                       .prefill_us = message.prefill_us(),
                       .decode_us = message.decode_us(),
                       .cached_tokens = message.cached_tokens(),
                       .mean_rows = message.mean_rows()};
    return [done = std::move(item.ran), outcome = std::move(outcome)]() mutable { done(std::move(outcome)); };
  }
  return [] {};
}

Result<WorkTable::Answer> WorkTable::error(std::uint64_t work_id, const agent::v1::Error& message) {
  const auto found = items_.find(work_id);
  if (found == items_.end()) {
    return breach(work_id, "an error for what is not in hand");
  }
  Item item = std::move(found->second);
  items_.erase(found);
  return failed(std::move(item), wire::error_from_wire(message));
}

WorkTable::Answer WorkTable::failed(Item item, Error error) {
  if (item.loaded) {
    return [done = std::move(item.loaded), error = std::move(error)] { done(fail(error)); };
  }
  if (item.ran) {
    return [done = std::move(item.ran), error = std::move(error)] { done(fail(error)); };
  }
  return [] {};
}

WorkTable::Answer WorkTable::fail_one(std::uint64_t work_id, Error error) {
  const auto found = items_.find(work_id);
  if (found == items_.end()) {
    return [] {};
  }
  Item item = std::move(found->second);
  items_.erase(found);
  return failed(std::move(item), std::move(error));
}

std::vector<WorkTable::Answer> WorkTable::fail_all(const Error& error) {
  std::vector<Answer> answers;
  for (auto& [work_id, item] : std::exchange(items_, {})) {
    answers.push_back(failed(std::move(item), error));
  }
  return answers;
}

WorkTable::GivenUp WorkTable::give_up_runs(const Error& error) {
  GivenUp given_up;
  for (auto& [work_id, item] : items_) {
    if (item.ran) {
      given_up.work_ids.push_back(work_id);
      given_up.answers.push_back([done = std::exchange(item.ran, {}), error] { done(fail(error)); });
      item.is_given_up = true;
    }
  }
  return given_up;
}

WorkTable::Answer WorkTable::give_up(std::uint64_t work_id, Error error) {
  const auto found = items_.find(work_id);
  if (found == items_.end() || !found->second.ran) {
    return [] {};
  }
  found->second.is_given_up = true;
  return [done = std::exchange(found->second.ran, {}), error = std::move(error)] { done(fail(error)); };
}

bool WorkTable::holds_any(const std::string& backend) const {
  return std::ranges::any_of(items_, [&backend](const auto& entry) {
    return entry.second.backend.empty() || entry.second.backend == backend;
  });
}

std::vector<WorkInHand> WorkTable::in_hand() const {
  std::vector<WorkInHand> work;
  work.reserve(items_.size());
  for (const auto& [work_id, item] : items_) {
    work.push_back({.work_id = work_id, .backend = item.backend, .answer_by = item.answer_by});
  }
  return work;
}

}  // namespace shoal::pool
