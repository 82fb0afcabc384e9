#include "server/metrics/families.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace shoal::metrics {
namespace {

using testing::HasSubstr;

std::string kind(prometheus::MetricType type) {
  return type == prometheus::MetricType::Counter ? "counter"
         : type == prometheus::MetricType::Gauge ? "gauge"
                                                 : "histogram";
}

TEST(Families, AreThoseOfTheGoldenList) {
  const char* root = std::getenv("SHOAL_SOURCE_DIR");
  ASSERT_NE(root, nullptr);
  std::ifstream golden(std::string(root) + "/tests/golden/metrics.txt");
  std::set<std::string> expected;
  for (std::string line; std::getline(golden, line);) {
    if (!line.empty() && line.front() != '#') {
      expected.insert(line);
    }
  }
  std::set<std::string> declared;
  for (const FamilyDeclaration& family : declarations()) {
    EXPECT_FALSE(family.help.empty()) << family.name;
    declared.insert(std::string(family.name) + " " + kind(family.type) +
                    (family.labels.empty() ? "" : " " + std::string(family.labels)));
  }
  EXPECT_EQ(declared, expected);
}

TEST(Families, CountWhatTheyAreTold) {
  Families families;
  RequestLabels by{.model = "m", .version = 1, .variant = "q8", .backend = "wasm", .browser = "firefox"};
  families.request_answered(by, {.total_us = 3000, .queue_us = 1000, .compute_us = 1500});
  families.request_answered(by, {.total_us = 1000, .queue_us = 1000, .compute_us = 1500});
  by.version = 2;
  families.request_answered(by, {.total_us = 1000, .queue_us = 0, .compute_us = 500});
  families.request_redispatched("m");
  families.worker_launched("chromium", 0.3);
  families.worker_recovered("browser", "crashed", 0.7);
  families.http_answered("kserve", 200);
  families.http_answered("kserve", 200);
  const std::string page = text(families.collect());
  const std::string labels = R"(backend="wasm",browser="firefox",model="m",variant="q8",version="1")";
  EXPECT_THAT(page, HasSubstr("shoal_request_duration_seconds_count{" + labels + "} 2"));
  EXPECT_THAT(page, HasSubstr("shoal_request_overhead_seconds_bucket{" + labels + ",le=\"0.0005\"} 2"));
  EXPECT_THAT(page, HasSubstr("variant=\"q8\",version=\"2\"} 1"));
  EXPECT_THAT(page, HasSubstr("shoal_requests_redispatched_total{model=\"m\"} 1"));
  EXPECT_THAT(page, HasSubstr("shoal_http_responses_total{route=\"kserve\",status=\"200\"} 2"));
  EXPECT_THAT(page, HasSubstr("shoal_worker_launch_seconds_sum{kind=\"chromium\"} 0.3"));
  EXPECT_THAT(page, HasSubstr("shoal_worker_recovery_seconds_count{rung=\"browser\"} 1"));
  EXPECT_THAT(page, HasSubstr("shoal_worker_recoveries_total{reason=\"crashed\",rung=\"browser\"} 1"));
  // The registered families have the labels that are declared.
  for (const auto& family : families.collect()) {
    for (const FamilyDeclaration& declared : declarations()) {
      if (declared.name != family.name || family.metric.empty()) {
        continue;
      }
      for (const auto& label : family.metric.front().label) {
        EXPECT_THAT(std::string(declared.labels), HasSubstr(label.name)) << family.name;
      }
    }
  }
}

TEST(PulledFamilies, AreTextWithTheirLabels) {
  auto family = pulled_family("nv_inference_count");
  add_sample(family, 3, {{"model", "a\"b"}, {"version", "1"}});
  EXPECT_THAT(text({family}), HasSubstr("nv_inference_count{model=\"a\\\"b\",version=\"1\"} 3"));
  EXPECT_THAT(text({family}), HasSubstr("# TYPE nv_inference_count counter"));
  EXPECT_THROW(pulled_family("undeclared"), std::logic_error);
}

}  // namespace
}  // namespace shoal::metrics
