// What a browser may send: any bytes as a frame, and whatever decodes goes on to the table of work in hand.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/pool/work_table.hpp"
#include "server/wire/frame.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using shoal::agent::v1::Envelope;
  const auto frame = shoal::wire::decode_frame({reinterpret_cast<const char*>(data), size});
  if (!frame) {
    return 0;
  }
  shoal::pool::WorkTable table(1U << 16);
  int answers = 0;
  const std::uint64_t work_id = frame->envelope.work_id();
  const auto add = [&] { table.add_run(work_id, "wasm", shoal::kNoDeadline, [&answers](const auto&) { ++answers; }); };
  add();
  const auto finish = [&](shoal::Result<shoal::pool::WorkTable::Answer> answer) {
    if (answer) {
      (*answer)();
    }
  };
  switch (frame->envelope.body_case()) {
    case Envelope::kOutput:
      if (table.output(work_id, frame->envelope.output(), frame->payload)) {
        static_cast<void>(table.chunk(work_id, frame->payload));
        finish(table.end(work_id, {}));
      }
      break;
    case Envelope::kEnd:
      finish(table.end(work_id, frame->envelope.end()));
      break;
    case Envelope::kError:
      finish(table.error(work_id, frame->envelope.error()));
      break;
    default:
      break;
  }
  for (const auto& answer : table.fail_all({shoal::Code::kWorkerLost, "lost", {}})) {
    answer();
  }
  return answers == 1 ? 0 : (__builtin_trap(), 1);
}
