#include "server/app/browser_run.hpp"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <utility>

#include "server/app/import_package.hpp"
#include "server/app/native_model.hpp"
#include "server/app/own_server.hpp"
#include "server/app/scratch_folder.hpp"
#include "server/core/clock.hpp"
#include "server/models/package_version.hpp"

namespace shoal::app {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kName = "model";

Status configure(const fs::path& repository, std::string_view key, std::string_view value) {
  std::ofstream config(repository / kName / "config.pbtxt", std::ios::app);
  config << fmt::format("parameters {{ key: \"{}\" value {{ string_value: \"{}\" }} }}\n", key, value);
  config.close();
  return config ? Status() : fail(Code::kInternal, fmt::format("cannot write to '{}'", repository.string()));
}

// A package where it lies, under the name kName.
Status link_package(const fs::path& package, std::optional<std::uint32_t> bits, const fs::path& repository) {
  const auto description = models::read_description(package);
  if (!description) {
    return fail(description.error());
  }
  const auto variant = variant_of(*description, bits);
  if (!variant) {
    return fail(variant.error());
  }
  std::error_code error;
  fs::create_directories(repository / kName, error);
  fs::create_directory_symlink(fs::absolute(package), repository / kName / "1", error);
  if (error) {
    return fail(Code::kInternal, fmt::format("cannot write '{}': {}", repository.string(), error.message()));
  }
  return configure(repository, "shoal_variant", (*variant)->name);
}

// Anything else becomes a package first, in the bits that it has unless others are asked for.
Status import_source(const BrowserRun& run, const fs::path& repository, Parallel& parallel) {
  auto source = open_source(run.model);
  if (!source) {
    return fail(std::move(source.error()));
  }
  const auto model = source->build();
  if (!model) {
    return fail(model.error());
  }
  ImportRequest request{.source = run.model, .repository = repository, .name = kName};
  request.precision.bits = run.bits ? *run.bits : source->own_bits(*model);
  request.has_block = true;
  const auto imported = import_package(request, parallel);
  return imported ? Status() : fail(imported.error());
}

asio::awaitable<Result<json>> ask_own_server(const BrowserRun& run, const Settings& settings, const fs::path& home,
                                             OnAnswer on_answer) {
  const TimePoint begin = Clock::now();
  auto server = co_await OwnServer::start(co_await asio::this_coro::executor, settings, home, home / "models");
  if (!server) {
    co_return fail(std::move(server.error()));
  }
  const Status ready = co_await (*server)->ready(kName);
  Result<json> answer = ready ? json() : Result<json>(fail(ready.error()));
  const double load_ms = milliseconds(Clock::now() - begin);
  if (ready) {
    const auto call = HttpCall::to((*server)->address());
    answer = call ? co_await ask_browser(*call, run.question, std::move(on_answer)) : fail(call.error());
  }
  if (answer) {
    (*answer)["load_ms"] = load_ms;
  }
  co_await (*server)->end();
  co_return answer;
}

Result<json> wait_for(asio::io_context& context, asio::awaitable<Result<json>> work) {
  std::optional<Result<json>> out;
  asio::co_spawn(context, std::move(work), [&](const std::exception_ptr& thrown, Result<json> result) {
    out = thrown ? Result<json>(fail(Code::kInternal, "the answer could not be read")) : std::move(result);
  });
  while (!out) {
    context.run_one();
  }
  // Whatever was not waited for refers to what is about to go.
  context.poll();
  return *std::move(out);
}

}  // namespace

Result<json> run_in_browser(BrowserRun run, const Settings& settings, Parallel& parallel, OnAnswer on_answer) {
  if (!run.url.empty()) {
    const auto call = HttpCall::to(run.url);
    if (!call) {
      return fail(call.error());
    }
    run.question.model = run.model;
    asio::io_context context(1);
    return wait_for(context, ask_browser(*call, run.question, std::move(on_answer)));
  }
  const ScratchFolder scratch("shoal-run");
  if (scratch.path().empty()) {
    return fail(Code::kInternal, "no folder for temporary files can be made");
  }
  const fs::path repository = fs::path(scratch.path()) / "models";
  const auto package = find_package(run.model, settings.home);
  if (!package) {
    return fail(package.error());
  }
  Status prepared =
      package->empty() ? import_source(run, repository, parallel) : link_package(*package, run.bits, repository);
  if (prepared) {
    prepared = configure(repository, "shoal_kv_bits", run.kv_bits);
  }
  if (!prepared) {
    return fail(std::move(prepared.error()));
  }
  run.question.model = kName;
  asio::io_context context(1);
  return wait_for(context, ask_own_server(run, settings, scratch.path(), std::move(on_answer)));
}

}  // namespace shoal::app
