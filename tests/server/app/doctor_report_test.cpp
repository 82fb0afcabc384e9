#include "server/app/doctor_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/app/program_version.hpp"

namespace shoal::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

KindReport working() {
  KindReport kind{.kind = "headless_shell",
                  .is_configured = true,
                  .browser = {.path = "/opt/hs", .is_there = true, .version = "HS 1"},
                  .driver = {.path = "/usr/bin/cd", .is_there = true, .version = "CD 1 (0123-refs)"},
                  .session = "chrome 1",
                  .said_hello = true,
                  .launch_ms = 321,
                  .usable = {Backend::kWasm, Backend::kWebgpu},
                  .why_not = {{Backend::kWebnn, "no navigator.ml | at all"}},
                  .adapter = "software"};
  kind.capabilities.set_cross_origin_isolated(true);
  kind.capabilities.set_wasm_simd(true);
  kind.capabilities.mutable_webgpu()->add_features("subgroups");
  auto& benchmark = *kind.capabilities.add_benchmarks();
  benchmark.set_backend("webgpu");
  benchmark.set_gflops(12.34);
  return kind;
}

DoctorReport report_of(KindReport kind) {
  return {.date = "2026-11-21",
          .version = "1",
          .system = "Debian",
          .cores = 2,
          .has_gpu = false,
          .kinds = {std::move(kind)}};
}

TEST(Doctor, TellsWhatWorksInEachForm) {
  const DoctorReport report = report_of(working());
  EXPECT_TRUE(report.is_well());
  const auto kind = to_json(report)["kinds"][0];
  EXPECT_EQ(kind["works"], true);
  EXPECT_EQ(kind["backends"]["webgpu"]["adapter"], "software");
  EXPECT_EQ(kind["backends"]["webgpu"]["usable"], true);
  EXPECT_EQ(kind["backends"]["wasm"]["adapter"], "cpu");
  EXPECT_EQ(kind["backends"]["webnn"]["why_not"], "no navigator.ml | at all");
  EXPECT_THAT(to_text(report), HasSubstr("headless_shell (configured): works"));
  EXPECT_THAT(to_text(report), HasSubstr("software, 12 GFLOP/s"));
  EXPECT_THAT(to_markdown(report), HasSubstr("| `headless_shell` | chrome 1 | CD 1 | cpu | software, 12 GFLOP/s | no: "
                                             "no navigator.ml \\| at all | simd, subgroups | 321 ms |"));
}

TEST(Doctor, SaysHowToGetWhatIsMissing) {
  KindReport kind{
      .kind = "chromium", .is_configured = true, .browser = {.path = "/usr/bin/chromium"}, .driver = {.path = ""}};
  EXPECT_THAT(advice_for(kind, false),
              ElementsAre(HasSubstr("apt-get install chromium"), HasSubstr("say where it is")));
  EXPECT_FALSE(report_of(kind).is_well());
  EXPECT_THAT(to_text(report_of(kind)), HasSubstr("not there: /usr/bin/chromium"));
  EXPECT_THAT(to_markdown(report_of(kind)), HasSubstr("not launched"));
  kind.is_configured = false;
  EXPECT_TRUE(report_of(kind).is_well()) << "nobody asked for it";
}

TEST(Doctor, ExplainsALaunchThatFails) {
  KindReport kind = working();
  kind.said_hello = false;
  kind.problem = "the page did not say hello in time";
  EXPECT_THAT(advice_for(kind, false), ElementsAre(HasSubstr("the agent page did not report")));
  kind.session.clear();
  EXPECT_THAT(advice_for(kind, false), ElementsAre(HasSubstr("no session opens")));
  EXPECT_THAT(to_markdown(report_of(kind)), HasSubstr("the page did not say hello in time"));
}

TEST(Doctor, ExplainsBackendsThatAreNotThere) {
  KindReport kind = working();
  EXPECT_THAT(advice_for(kind, false), ElementsAre(HasSubstr("no webnn")));
  EXPECT_THAT(advice_for(kind, true),
              ElementsAre(HasSubstr("in software although there is a GPU"), HasSubstr("no webnn")));
  kind.usable = {Backend::kWasm, Backend::kWebnn};
  EXPECT_THAT(advice_for(kind, false), ElementsAre(HasSubstr("this machine has no GPU")));
  kind.usable = {Backend::kWasm, Backend::kWebgpu, Backend::kWebnn};
  EXPECT_THAT(advice_for(kind, false), IsEmpty());
}

TEST(ProgramVersion, IsTheFirstLineOrNothing) {
  EXPECT_THAT(program_version("/bin/bash"), HasSubstr("bash"));
  EXPECT_EQ(program_version("/no/such/program"), "");
}

}  // namespace
}  // namespace shoal::app
