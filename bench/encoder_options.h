// The command line of //bench:encoder.
#ifndef BENCH_ENCODER_OPTIONS_H_
#define BENCH_ENCODER_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "bench/encoder_npu.h"
#include "bench/encoder_points.h"
#include "bench/encoder_report.h"

namespace xdna::bench {

struct EncoderOptions {
  std::string model, geometry, precision = "f32,bf16,int8,mixed", backend = "fast", json;
  std::vector<std::string> audio;
  std::string thread_counts = std::to_string(AvailableCpus());  // as typed
  int threads = AvailableCpus();                                // the most of them
  std::int64_t check = 1;
  EncoderSweep sweep;  // npu
  std::string device = "cpu,npu", schedule = "phase6-resident", against, trace;
  bool many = false;  // runs: each has its own timeline
  NpuRunOptions npu;
  double audio_s = 0, target = kTargetRtf;
  std::string isa;      // no better instructions than these; empty: this machine's
  std::string explain;  // "schedule", "origin" or "kernels"; empty: nothing
  bool list = false, dry_run = false, resume = false, taps = false;
  bool list_schedules = false, profile = false, budget = false;
  bool tune = false, retune = false;
};

const char* EncoderHelp();
void DeclareEncoderOptions(CLI::App& app, EncoderOptions& o);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_OPTIONS_H_
