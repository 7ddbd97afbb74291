#include "reports/record_samples.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/run_record.h"

namespace xdna::reports {
namespace {

constexpr char kHash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

bench::RecordedVerdict VerdictOf(golden::Status status) {
  bench::RecordedVerdict verdict;
  verdict.status = status;
  verdict.reason = status == golden::Status::kPassed ? "all within 40 % of their limits"
                                                     : "1 of 12 elements beyond their limit";
  verdict.headroom_percent = 60;
  verdict.tolerance = "two roundings of 2^-9";
  return verdict;
}

bench::RunRecord Start(const std::string& series, bench::Provenance provenance,
                       golden::Status status) {
  bench::RunRecord record(bench::SeriesKey::Parse(series), provenance, VerdictOf(status));
  bench::Environment& e = record.environment;
  e.git_revision = "0123456789012345678901234567890123456789";
  e.git_dirty = false;
  e.compiler = "GCC 12.2.0";
  e.flags = "-O3";
  e.cpu_model = "AMD EPYC";
  e.cpu_features = "avx2";
  e.cpus = 2;
  e.threads = 1;
  e.machine_class = "amd-family26-model2-avx2-2cpu";
  e.libraries = {{"onednn", "2.6.3"}};
  e.date = "2026-11-23T18:00:00Z";
  record.hashes = {{"golden", kHash}};
  record.seed = 1;
  record.SetMetric("flops", 1e9);
  record.SetMetric("peak_flops", 4e11);
  return record;
}

}  // namespace

std::vector<double> SamplesAround(double seconds, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> samples;
  for (int i = 0; i < 20; ++i) {
    // Mostly the least time, now and then somewhat more, like measured ones.
    const double part = static_cast<double>(random() % 1000) / 1000;
    samples.push_back(seconds * (1 + 0.02 * part * part));
  }
  return samples;
}

bench::RunRecord MeasuredRecord(const std::string& series, double seconds, unsigned seed) {
  bench::RunRecord record = Start(series, bench::Provenance::kMeasured, golden::Status::kPassed);
  record.SetTimes({{"total", seconds}, {"attention", seconds / 2}}, SamplesAround(seconds, seed));
  record.set_scope("encoder");
  record.SetMetric("rtf", 1 / seconds);
  return record;
}

bench::RunRecord ModelledRecord(double seconds) {
  bench::RunRecord record = Start("linear/m=8/bf16/npu/phx-1.0/resident/-/-/-",
                                  bench::Provenance::kModelled, golden::Status::kPassed);
  record.SetTimes({{"total", seconds}}, {seconds});
  bench::TimeModel model;
  model.version = "1";
  model.preset = "phx-1.0";
  model.host_profile = "cpp";
  model.codegen = "chess";
  model.constants = {{"clock_hz", 1e9}, {"lock_latency", 8}};
  model.schedule = {{"overlay", kHash}};
  record.model = model;
  return record;
}

bench::RunRecord RecordWithStatus(golden::Status status, const std::string& series) {
  return Start(series, bench::Provenance::kMeasured, status);
}

RecordSet SetOf(std::initializer_list<bench::RunRecord> records) {
  RecordSet set;
  for (const bench::RunRecord& record : records) {
    set.records.push_back({record, "test.jsonl", static_cast<int>(set.records.size()) + 1});
  }
  return set;
}

}  // namespace xdna::reports
