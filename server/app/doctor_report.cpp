#include "server/app/doctor_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "server/app/tables.hpp"

namespace shoal::app {
namespace {

using nlohmann::ordered_json;

// How each kind is had on Debian.
struct Source {
  std::string_view kind, browser, driver;
};
constexpr std::array<Source, 4> kSources = {{
    {"headless_shell", "run scripts/install_headless_shell.sh", "apt-get install chromium-driver"},
    {"chromium", "apt-get install chromium", "apt-get install chromium-driver"},
    {"firefox", "apt-get install firefox-esr mesa-vulkan-drivers", "run scripts/install_browsers.sh firefox"},
    {"webkitgtk", "apt-get install webkit2gtk-driver xvfb", "apt-get install webkit2gtk-driver xvfb"},
}};

bool is_usable(const KindReport& kind, Backend backend) {
  return std::ranges::find(kind.usable, backend) != kind.usable.end();
}

std::string words_of(const KindReport& kind, Backend backend) {
  const auto found = kind.why_not.find(backend);
  return found == kind.why_not.end() ? std::string() : found->second;
}

const agent::v1::Benchmark* benchmark_of(const KindReport& kind, Backend backend) {
  for (const agent::v1::Benchmark& benchmark : kind.capabilities.benchmarks()) {
    if (benchmark.backend() == backend_name(backend)) {
      return &benchmark;
    }
  }
  return nullptr;
}

std::string adapter_of(const KindReport& kind, Backend backend) {
  return backend == Backend::kWebgpu ? kind.adapter : is_usable(kind, backend) ? "cpu" : "";
}

// The adapter in the browser's words: "google swiftshader".
std::string adapter_words(const agent::v1::WebGpu& webgpu) {
  std::string words = webgpu.vendor();
  for (const std::string& more : {webgpu.architecture(), webgpu.device(), webgpu.description()}) {
    words += (more.empty() || words.empty() ? "" : " ") + more;
  }
  return words;
}

std::string features_of(const agent::v1::Capabilities& capabilities) {
  std::string text;
  for (const auto& [has, name] :
       {std::pair(capabilities.wasm_simd(), "simd"), std::pair(capabilities.wasm_relaxed_simd(), "relaxed simd"),
        std::pair(capabilities.wasm_threads(), "threads"), std::pair(capabilities.jspi(), "jspi")}) {
    text += has ? (text.empty() ? "" : ", ") + std::string(name) : "";
  }
  for (const std::string& feature : capabilities.webgpu().features()) {
    if (feature == "shader-f16" || feature == "subgroups") {
      text += ", " + feature;
    }
  }
  return text;
}

// "software, 12.3 GFLOP/s", or "no: the browser's words".
std::string backend_cell(const KindReport& kind, Backend backend) {
  if (!kind.said_hello) {
    return "";
  }
  if (!is_usable(kind, backend)) {
    return "no: " + words_of(kind, backend);
  }
  const agent::v1::Benchmark* benchmark = benchmark_of(kind, backend);
  const std::string speed = benchmark != nullptr && benchmark->why_not().empty()
                                ? fmt::format(", {:.2g} GFLOP/s", benchmark->gflops())
                                : std::string();
  return adapter_of(kind, backend) + speed;
}

// Drivers add the revision that they were built from, in brackets.
std::string program_words(const ProgramReport& program) {
  if (program.path.empty()) {
    return "not configured";
  }
  const std::string version = program.version.substr(0, program.version.find(" ("));
  return program.is_there ? (version.empty() ? program.path : version) : "not there: " + program.path;
}

ordered_json program_json(const ProgramReport& program) {
  return {{"path", program.path}, {"is_there", program.is_there}, {"version", program.version}};
}

ordered_json kind_json(const KindReport& kind, bool has_gpu) {
  ordered_json backends = ordered_json::object();
  for (const Backend backend : kBackends) {
    const agent::v1::Benchmark* benchmark = benchmark_of(kind, backend);
    backends[std::string(backend_name(backend))] = {{"usable", is_usable(kind, backend)},
                                                    {"adapter", adapter_of(kind, backend)},
                                                    {"gflops", benchmark == nullptr ? 0 : benchmark->gflops()},
                                                    {"why_not", words_of(kind, backend)}};
  }
  const agent::v1::Capabilities& has = kind.capabilities;
  return {{"kind", kind.kind},
          {"configured", kind.is_configured},
          {"works", kind.said_hello},
          {"browser", program_json(kind.browser)},
          {"driver", program_json(kind.driver)},
          {"session", kind.session},
          {"hello", kind.said_hello},
          {"launch_ms", kind.launch_ms},
          {"backends", std::move(backends)},
          {"webgpu_adapter", adapter_words(has.webgpu())},
          {"webgpu_features", std::vector<std::string>(has.webgpu().features().begin(), has.webgpu().features().end())},
          {"wasm",
           {{"simd", has.wasm_simd()},
            {"relaxed_simd", has.wasm_relaxed_simd()},
            {"threads", has.wasm_threads()},
            {"jspi", has.jspi()},
            {"cross_origin_isolated", has.cross_origin_isolated()}}},
          {"problem", kind.problem},
          {"advice", advice_for(kind, has_gpu)}};
}

// A cell of a Markdown table.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find_first_of("|\n", at)) != std::string::npos; at += 2) {
    text.replace(at, 1, text[at] == '|' ? "\\|" : "; ");
  }
  return text;
}

}  // namespace

bool DoctorReport::is_well() const {
  return std::ranges::all_of(kinds, [](const KindReport& kind) { return kind.said_hello || !kind.is_configured; });
}

std::vector<std::string> advice_for(const KindReport& kind, bool has_gpu) {
  if (kind.kind == "remote" && !kind.is_configured) {
    return {"no remote end is configured: pool.browsers takes kind=remote,url=http://HOST:4444,browser=chromium"};
  }
  std::vector<std::string> advice;
  const auto source = std::ranges::find(kSources, kind.kind, &Source::kind);
  const auto get = [&](const ProgramReport& program, std::string_view what, std::string_view how) {
    if (program.path.empty()) {
      advice.push_back(
          fmt::format("the {} is not part of Debian: install it and say where it is (pool.browsers)", what));
    } else if (!program.is_there) {
      advice.push_back(fmt::format("the {} is missing: {}", what, source == kSources.end() ? "install it" : how));
    }
  };
  get(kind.browser, "browser", source == kSources.end() ? "" : source->browser);
  get(kind.driver, "driver", source == kSources.end() ? "" : source->driver);
  if (!advice.empty()) {
    return advice;
  }
  if (!kind.said_hello) {
    advice.push_back(
        kind.session.empty()
            ? "no session opens: the driver's own words are above; versions of driver and browser that do not "
              "belong together are the usual reason"
            : "the browser runs, but the agent page did not report: something between it and this machine's "
              "loopback (a proxy, a policy) may keep it away");
    return advice;
  }
  if (!kind.capabilities.cross_origin_isolated()) {
    advice.push_back("the page is not cross-origin isolated, so WebAssembly runs on one thread");
  }
  if (!is_usable(kind, Backend::kWebgpu)) {
    advice.push_back(
        has_gpu ? "no webgpu: install the GPU's Vulkan driver (vulkaninfo must list it), or choose "
                  "pool.adapter=software"
                : "no webgpu: this machine has no GPU; of the software adapters chromium and headless_shell bring "
                  "their own, firefox needs the package mesa-vulkan-drivers, webkitgtk can use none");
  } else if (kind.adapter == "software" && has_gpu) {
    advice.push_back("webgpu runs in software although there is a GPU: set pool.adapter=hardware to see why");
  }
  if (!is_usable(kind, Backend::kWebnn)) {
    advice.push_back("no webnn: on this system only headless_shell has it (run scripts/install_headless_shell.sh)");
  }
  return advice;
}

ordered_json to_json(const DoctorReport& report) {
  ordered_json kinds = ordered_json::array();
  for (const KindReport& kind : report.kinds) {
    kinds.push_back(kind_json(kind, report.has_gpu));
  }
  return {{"date", report.date},   {"version", report.version}, {"system", report.system},  {"cores", report.cores},
          {"gpu", report.has_gpu}, {"well", report.is_well()},  {"kinds", std::move(kinds)}};
}

std::string to_text(const DoctorReport& report) {
  std::string text = fmt::format("Shoal {} on {}, {} cores, {}\n", report.version, report.system, report.cores,
                                 report.has_gpu ? "with a GPU" : "no GPU");
  for (const KindReport& kind : report.kinds) {
    text += fmt::format("\n{}{}: {}\n", kind.kind, kind.is_configured ? " (configured)" : "",
                        kind.said_hello ? "works" : "does not work");
    std::vector<std::vector<std::string>> rows = {{"  browser", program_words(kind.browser)},
                                                  {"  driver", program_words(kind.driver)}};
    if (!kind.session.empty()) {
      rows.push_back({"  session", fmt::format("{}, {} ms to the agent's hello", kind.session, kind.launch_ms)});
    }
    if (kind.said_hello) {
      for (const Backend backend : kBackends) {
        rows.push_back({"  " + std::string(backend_name(backend)), backend_cell(kind, backend)});
      }
      rows.push_back({"  features", features_of(kind.capabilities)});
    }
    if (!kind.problem.empty()) {
      rows.push_back({"  problem", kind.problem});
    }
    for (std::string& line : advice_for(kind, report.has_gpu)) {
      rows.push_back({"  advice", std::move(line)});
    }
    text += table(rows);
  }
  return text;
}

std::string to_markdown(const DoctorReport& report) {
  std::string text = fmt::format(
      "# Browsers and what they can do\n\nWritten by `shoal doctor --markdown` on {}: Shoal {}, {}, {} cores, {}. Each "
      "browser was "
      "launched and its agent asked; speeds are of a small f32 matrix product in the agent's hello, to tell orders of "
      "magnitude.\n\n"
      "| kind | browser | driver | wasm | webgpu | webnn | features | hello after "
      "|\n|---|---|---|---|---|---|---|---|\n",
      report.date, report.version, report.system, report.cores, report.has_gpu ? "with a GPU" : "no GPU");
  for (const KindReport& kind : report.kinds) {
    if (!kind.said_hello) {
      text += fmt::format("| `{}` | {} | {} | | | | | {} |\n", kind.kind, cell(program_words(kind.browser)),
                          cell(program_words(kind.driver)), cell(kind.problem.empty() ? "not launched" : kind.problem));
      continue;
    }
    text += fmt::format("| `{}` | {} | {} | {} | {} | {} | {} | {} ms |\n", kind.kind, cell(kind.session),
                        cell(program_words(kind.driver)), cell(backend_cell(kind, Backend::kWasm)),
                        cell(backend_cell(kind, Backend::kWebgpu)), cell(backend_cell(kind, Backend::kWebnn)),
                        cell(features_of(kind.capabilities)), kind.launch_ms);
  }
  return text;
}

}  // namespace shoal::app
