#include "bench/encoder_npu_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "bench/encoder_lines.h"
#include "bench/encoder_report.h"
#include "device/sim/timing.h"

namespace xdna::bench {
namespace {

// Of one stage, over all layers.
struct Stage {
  double array_us = 0, core_us = 0, shim_us = 0, instruction_us = 0, flops = 0, bytes = 0;
  int runs = 0;
};

// In the order of their first step.
std::vector<std::pair<std::string, Stage>> Stages(const NpuResult& result) {
  std::vector<std::pair<std::string, Stage>> stages;
  for (const encoder::NpuStepTime& step : result.steps) {
    auto found =
        std::ranges::find(stages, step.step.stage, [](const auto& one) { return one.first; });
    if (found == stages.end()) {
      stages.emplace_back(step.step.stage, Stage{});
      found = std::prev(stages.end());
    }
    Stage& s = found->second;
    s.array_us += step.array_us;
    s.core_us += step.core_us;
    s.shim_us += step.shim_us;
    s.instruction_us += step.instruction_us;
    s.flops += step.step.flops;
    s.bytes += step.bytes_read + step.bytes_written;
    ++s.runs;
  }
  return stages;
}

double BudgetMs(const EncoderJob& job, double target) {
  return 1e3 * job.audio.seconds / static_cast<double>(job.windows()) / target;
}

}  // namespace

std::string ModelLines(const EncoderJob& job, const NpuRunOptions& options, const std::string& of) {
  Lines line(job);
  const device::Preset& preset = device::FindPreset(options.preset);
  const encoder::CpuProfile& cpu = encoder::FindCpuProfile(options.cpu);
  line("NPU        {} on {} ({}), MODELLED by time model {}: no hardware was used", of, preset.name,
       preset.device, device::TimeModelVersion());
  line("host       {}; cores compiled by {}; CPU parts by profile \"{}\": {}", options.host,
       options.codegen, cpu.name, cpu.what);
  line(
      "           products {:.0f} GFLOP/s, rows {:.0f} M values/s, copies {:.0f} GB/s, conversions "
      "{:.1f} G values/s; {}: {}",
      cpu.gemm_flops / 1e9, cpu.row_values / 1e6, cpu.copy_bytes / 1e9, cpu.convert_values / 1e9,
      cpu.confidence, cpu.source);
  line("speech     {:.2f} s in {} window{}: {}; outputs against {}", job.audio.seconds,
       job.windows(), job.windows() == 1 ? "" : "s", job.audio.source,
       job.references.front().source);
  if (job.shape.stem == encoder::Stem::kProjection) {
    line(
        "           3001 positions and a seeded projection in place of the convolutions: no "
        "transcription");
  }
  return line.Take();
}

std::string LadderReport(const EncoderJob& job, const std::vector<NpuResult>& results,
                         const NpuRunOptions& options, double target) {
  Lines line(job);
  line("{}", "");
  const double full = 1e3 * kBudgetSeconds;
  line("{:17}{:>15} {:>8} {:<13}{:>9} {:>10} {:>7} {:<14}{:>8} {:>8} {:>8} {:>8} {:>9} {:>10}",
       "schedule", "claim", "found", "verdict", "rel-L2", "ms/window", "step", "bound by",
       "compute", "DMA", "dispatch", "switch", "CPU", fmt::format("to {:.1f}", full));
  double before = 0;
  for (const NpuResult& r : results) {
    const std::string claim = r.schedule.claim.size() <= 14
                                  ? r.schedule.claim
                                  : TimesRealTime(r.schedule.claimed_rtf) + "*";
    if (!r.timed()) {
      line("{:17}{:>15} {:>8} {}", r.schedule.name, claim, "-", golden::Describe(r.verdict));
      continue;
    }
    const NpuTime& t = r.time;
    line(
        "{:17}{:>15} {:>8} {:<13}{:9.1e} {:10.1f} {:>7} {:<14}{:8.1f} {:8.1f} {:8.1f} {:8.1f} "
        "{:9.1f} {:>10}",
        r.schedule.name, claim, TimesRealTime(r.Rtf(job)),
        fmt::format("{}{:.0f} %{}", "passed ", r.verdict.headroom_percent(),
                    r.kept_proof ? " k" : ""),
        r.verdict.rel_l2, t.total, before > 0 ? TimesRealTime(before / t.total) : "-", r.Bound(),
        t.compute, t.dma, t.dispatch, t.change, t.cpu, fmt::format("{:+.1f}", t.total - full));
    before = t.total;
  }
  line(
      "found: {:.2f} s of speech over the modelled time of {} window{}; the window's silence "
      "counts "
      "nowhere. Target {}: {:.1f} ms a window.",
      job.audio.seconds, job.windows(), job.windows() == 1 ? "" : "s", TimesRealTime(target),
      BudgetMs(job, target));
  line(
      "k: proof kept from an earlier run of this very program, schedule, model and speech. DMA: "
      "the "
      "array running while its busiest core waits. *: \"{}\"",
      "2-3x more of a normalisation");
  return ModelLines(job, options, job.shape.name) + line.Take();
}

std::string NpuProfileReport(const EncoderJob& job, const NpuResult& result) {
  Lines line(job);
  line("{}", "");
  line("{}: {} run{} a window; {}", result.schedule.name, result.runs, result.runs == 1 ? "" : "s",
       result.design);
  line("{:10} {:>5} {:>9} {:>7} {:>9} {:>9} {:>9} {:>8} {:>8}", "stage", "ops", "array ms", "share",
       "cores", "DMA", "commands", "TFLOPS", "GB/s");
  double array = 0;
  for (const auto& [name, s] : Stages(result)) array += s.array_us;
  for (const auto& [name, s] : Stages(result)) {
    line("{:10} {:5} {:9.2f} {:5.0f} % {:9.2f} {:9.2f} {:9.2f} {:>8} {:8.1f}", name, s.runs,
         s.array_us / 1e3, 100 * s.array_us / array, s.core_us / 1e3, s.shim_us / 1e3,
         s.instruction_us / 1e3,
         s.flops > 0 ? fmt::format("{:.2f}", s.flops / s.array_us / 1e6) : "-",
         s.bytes / s.array_us / 1e3);
  }
  line(
      "cores: the busiest one; DMA: the busiest shim channel; commands: the command processor, "
      "configuring included. They overlap.");
  for (const TapStatistics& tap : result.taps) {
    line("{}: mean {:.3f}, std {:.3f}, min {:.2f}, max {:.2f}, {}", tap.name, tap.mean,
         tap.deviation, tap.least, tap.most, tap.finite ? "all finite" : "NOT FINITE");
  }
  return line.Take();
}

std::string NpuBudgetReport(const EncoderJob& job, const NpuResult& result, double target) {
  Lines line(job);
  const double budget = BudgetMs(job, target), over = result.time.total - budget;
  line("{}", "");
  line(
      "budget     {} of {:.2f} s of speech is {:.1f} ms a window; {} takes {:.1f} ms: {:.1f} ms {}",
      TimesRealTime(target), job.audio.seconds, budget, result.schedule.name, result.time.total,
      std::abs(over), over > 0 ? "over it" : "within it");
  const NpuTime& t = result.time;
  const std::pair<const char*, double> parts[] = {{"compute", t.compute},
                                                  {"DMA", t.dma},
                                                  {"dispatch", t.dispatch},
                                                  {"switches", t.change},
                                                  {"CPU", t.cpu}};
  for (const auto& [name, ms] : parts) {
    const double left = ms - over;
    line("           {:10} {:9.2f} ms {:4.0f} %  {}", name, ms, 100 * ms / t.total,
         over <= 0  ? ""
         : left > 0 ? fmt::format("at {:.2f} ms ({:.1f}x less) it alone would do", left, ms / left)
                    : "without it the target is still missed");
  }
  for (const auto& [name, s] : Stages(result)) {
    line(
        "           {:10} {:9.2f} ms of the array; its busiest core {:.2f} ms, its busiest DMA "
        "channel {:.2f} ms",
        name, s.array_us / 1e3, s.core_us / 1e3, s.shim_us / 1e3);
  }
  return line.Take();
}

std::string StartReport(const EncoderJob& job, const NpuResult& result) {
  Lines line(job);
  const encoder::MixedTimes& t = result.mixed;
  const double layers = t.norm + t.attention + t.ffn;
  line("{}", "");
  line("{:34} {:>12} {:>12}", "the published start, ms", "published", "modelled");
  const auto row = [&line](const char* name, double published, double found) {
    line("{:34} {:12.2f} {:12.2f}", name, published, found);
  };
  row("total, audio and mel included", 41025, t.total);
  row("six layers", 36488, layers);
  row("  normalisations, 12 calls", 31809, t.norm);
  row("  attention", 2720, t.attention);
  row("  FFN", 1959, t.ffn);
  row("final normalisation", 2644, t.final_norm);
  row("first layer", 6004.69, t.first_layer);
  row("a normalisation's dispatch", 0.883,
      t.norm / (12.0 * static_cast<double>(job.shape.positions)));
  row("  its kernel, submit to end", 0.453, t.dispatch_kernel);
  row("normalisations' share of a layer, %", 87.2, 100 * t.norm / layers);
  line("The published run was on a Hawk Point: --preset=hpt-1.6 --host=pyxrt --audio_s=5.");
  for (const encoder::Assumption& a : result.schedule.assumptions) {
    line("assumed{} {}{}: {}", a.fitted ? ", FITTED:" : ":", a.name,
         a.value > 0 ? fmt::format(" = {:g}", a.value) : "", a.why);
  }
  return line.Take();
}

}  // namespace xdna::bench
