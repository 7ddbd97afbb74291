// Writes run records for the tests of the page, through the class that benchmarks use: a ladder, a
// tile sweep, ten revisions of history, every verdict, and with --many=N as many records more.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/program.h"
#include "bench/command_line.h"
#include "bench/run_record.h"
#include "golden/compare.h"

namespace xdna::dashboard {
namespace {

using bench::Provenance;
using bench::RecordedVerdict;
using bench::RunRecord;
using bench::SeriesKey;

constexpr double kAudioSeconds = 24.73;

class Fixture {
 public:
  explicit Fixture(std::string path) : path_(std::move(path)) {}

  static RecordedVerdict Passed(double used) {
    golden::Verdict verdict;
    verdict.status = golden::Status::kPassed;
    verdict.reason = "relative L2 error is closest to its limit";
    verdict.used = used;
    golden::Tolerance limits;
    limits.provenance = "unit round-off times the square root of the terms";
    return {verdict, limits};
  }

  static RecordedVerdict Not(golden::Status status, const std::string& reason, double used) {
    golden::Verdict verdict;
    verdict.status = status;
    verdict.reason = reason;
    verdict.used = used;
    return {verdict, {}};
  }

  // `day` of November 2026, under a revision of its own.
  RunRecord Make(const SeriesKey& key, const RecordedVerdict& verdict, int day = 20) {
    const bool npu = key.device == "npu";
    RunRecord record(key, npu ? Provenance::kModelled : Provenance::kMeasured, verdict);
    bench::Environment& e = record.environment;
    e.git_revision = fmt::format("{:012x}{:028x}", 0xc0ffee000000 + day, 0);
    e.git_dirty = false;
    e.compiler = "GCC 12.2.0";
    e.cpus = e.threads = 2;
    e.machine_class = "amd-family26-model2-avx512_bf16-2cpu";
    e.load_average = 0.3;
    e.date = fmt::format("2026-11-{:02}T12:00:00Z", day);
    record.hashes["model"] = std::string(64, 'a');
    record.SetMetric("peak_flops", npu ? 4.096e12 : key.dtype == "f32" ? 4.8e11 : 9.5e11);
    return record;
  }

  // Around `seconds`, in samples that differ by `noise` where they are measured.
  void SetTimes(RunRecord& record, double seconds, double noise = 0.01) {
    std::vector<double> samples;
    std::normal_distribution<double> normal(1, noise);
    for (int i = 0; i < 20; ++i) {
      const bool modelled = record.provenance() == Provenance::kModelled;
      samples.push_back(modelled ? seconds : seconds * normal(random_));
    }
    record.SetTimes({{"total", seconds}}, samples);
  }

  void SetEncoderTimes(RunRecord& record, double seconds) {
    SetTimes(record, seconds);
    std::map<std::string, double> times = {{"total", seconds}, {"first", 1.1 * seconds}};
    const std::pair<const char*, double> shares[] = {
        {"conv1", 0.01},         {"conv2", 0.03},         {"layer_norm", 0.02},
        {"attention.qkv", 0.12}, {"attention.core", 0.4}, {"ffn.fc1", 0.19},
        {"attention.out", 0.05}, {"ffn.fc2", 0.16}};
    for (const auto& [stage, share] : shares) times[stage] = share * seconds;
    record.SetTimes(times, record.samples_s());
    record.set_scope("encoder");
    record.SetMetric("audio_s", kAudioSeconds);
    record.SetMetric("flops", 87.4e9);
    record.SetMetric("rtf", kAudioSeconds / seconds);
  }

  void Append(const RunRecord& record) { bench::AppendRecord(path_, record); }
  double Noise(double sigma) { return std::normal_distribution<double>(1, sigma)(random_); }

 private:
  std::string path_;
  std::mt19937 random_{8};
};

void WriteLadder(Fixture& fixture) {
  const std::pair<const char*, double> steps[] = {{"phase0-naive", 0.12},  {"phase1-batched", 0.72},
                                                  {"phase1-reuse", 0.75},  {"phase2-attention", 4},
                                                  {"phase3-ffn", 21},      {"phase4-overlap", 95},
                                                  {"phase6-resident", 341}};
  for (const char* shape : {"whisper-base", "seed-3001"}) {
    for (const auto& [schedule, rtf] : steps) {
      SeriesKey key{"encoder", shape, "bf16", "npu", "phx-1.0", schedule, "-", "-", "1"};
      RunRecord record = fixture.Make(key, Fixture::Passed(0.6));
      const bool resident = key.schedule == "phase6-resident" && key.shape == "seed-3001";
      fixture.SetEncoderTimes(record, kAudioSeconds / (resident ? 140 : rtf));
      fixture.Append(record);
    }
    const SeriesKey wrong{"encoder", shape, "int8", "npu", "phx-1.0", "phase5-int8", "-", "-", "1"};
    // What a page must show as text, and never run.
    const char* reason = "rel-L2 0.31 > 0.07 </script><img src=x onerror=\"console.error('ran')\">";
    fixture.Append(fixture.Make(wrong, Fixture::Not(golden::Status::kFailed, reason, 4.4)));
  }
}

// Ten revisions; the seventh makes bf16 12 % slower.
void WriteHistory(Fixture& fixture) {
  const std::pair<const char*, double> precisions[] = {
      {"f32", 0.25}, {"bf16", 0.155}, {"int8", 0.136}};
  for (int day = 11; day <= 20; ++day) {
    for (const auto& [dtype, seconds] : precisions) {
      const SeriesKey key{"encoder", "whisper-base", dtype, "cpu", "threads=2", "fast", "-", "-",
                          "1"};
      RunRecord record = fixture.Make(key, Fixture::Passed(0.5), day);
      const bool slower = key.dtype == "bf16" && day >= 17;
      fixture.SetEncoderTimes(record, seconds * (slower ? 1.12 : 1) * fixture.Noise(0.006));
      fixture.Append(record);
    }
  }
}

void WriteSweep(Fixture& fixture) {
  const std::pair<const char*, double> reuses[] = {
      {"runlist:16", 4e-5}, {"fresh", 9e-4}, {"context", 1.2e-4}, {"bo", 3e-4}};
  for (const char* tile : {"64x64x32", "64x64x64", "96x56x96", "112x112x112", "32x64x64"}) {
    for (const auto& [reuse, overhead] : reuses) {
      for (const char* batch : {"1", "8"}) {
        SeriesKey key{
            "linear", "m=1500,k=512,n=2048", "bf16", "npu", "phx-1.0", "tile", tile, reuse, batch};
        if (key.tile == "112x112x112") {
          const char* why = "does not fit: 75264 B of 65536 B";
          fixture.Append(fixture.Make(key, Fixture::Not(golden::Status::kUnsupported, why, NAN)));
          continue;
        }
        RunRecord record = fixture.Make(key, Fixture::Passed(0.3));
        const double calls = key.batch == "8" ? 8 : 1;
        fixture.SetTimes(record, calls * (1.2e-3 + overhead) + 1e-5 * key.tile[0]);
        record.SetMetric("flops", calls * 3.15e9);
        record.SetMetric("bytes", calls * (1.2e7 + 5e4 * key.tile[0]));
        record.SetMetric("peak_bandwidth", 15e9);
        record.SetMetric("percent_of_peak",
                         100 * calls * 3.15e9 / record.times_s().at("total") / 4.096e12);
        fixture.Append(record);
      }
    }
  }
}

void WriteCoverage(Fixture& fixture) {
  int i = 0;
  for (const char* op : {"softmax", "layer_norm", "gelu", "add", "conv1d", "linear"}) {
    for (const char* dtype : {"f32", "bf16"}) {
      ++i;
      const SeriesKey key{op, "m=1500,n=512", dtype, "cpu", "threads=2", "fast", "-", "-", "-"};
      RunRecord record = fixture.Make(key, Fixture::Passed(0.1 + 0.07 * i), 12 + i % 8);
      fixture.SetTimes(record, 1e-4 * i);
      record.SetMetric("flops", 1e-4 * i * 1e10 * i);
      record.SetMetric("bytes", 1e-4 * i * 2e10);
      record.SetMetric("peak_bandwidth", 4.3e10);
      fixture.Append(record);
    }
  }
  const SeriesKey odd{
      "attention", "m=1500,d=512,heads=8", "bf16", "cpu", "threads=2", "fast", "-", "-", "-"};
  fixture.Append(fixture.Make(odd, Fixture::Not(golden::Status::kMistrusted, "all zeros", NAN)));
  SeriesKey fast = odd;
  fast.op = "ffn";
  RunRecord impossible = fixture.Make(fast, Fixture::Passed(0.4));
  fixture.SetTimes(impossible, 1e-9);
  impossible.CheckFloor(1e-3);
  fixture.Append(impossible);
}

// One more series for each ten records.
void WriteMany(Fixture& fixture, int many) {
  for (int i = 0; i < many; ++i) {
    const int m = 1 + i / 10;
    const SeriesKey key{
        "linear", fmt::format("m={},k=512,n=512", m), "f32", "cpu", "threads=2", "fast", "-", "-",
        "-"};
    RunRecord record = fixture.Make(key, Fixture::Passed(0.5), 1 + i % 10);
    fixture.SetTimes(record, 1e-5 * m);
    record.SetMetric("flops", 5.2e5 * m);
    record.SetMetric("bytes", 1e6 + 4e3 * m);
    fixture.Append(record);
  }
}

int Main(int argc, char** argv) {
  std::string out;
  int many = 0;
  CLI::App app("fixture: run records for the tests of the page");
  app.add_option("OUT", out, "the file to append to")->required();
  app.add_option("--many", many, "that many records only");
  if (!bench::ParseOptions(app, argc, argv)) return kExitOk;
  Fixture fixture(UserPath(out));
  if (many > 0) {
    WriteMany(fixture, many);
    return kExitOk;
  }
  WriteLadder(fixture);
  WriteHistory(fixture);
  WriteSweep(fixture);
  WriteCoverage(fixture);
  return kExitOk;
}

}  // namespace
}  // namespace xdna::dashboard

int main(int argc, char** argv) {
  return xdna::RunProgram("fixture", [&] { return xdna::dashboard::Main(argc, argv); });
}
