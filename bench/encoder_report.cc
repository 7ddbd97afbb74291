#include "bench/encoder_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "bench/encoder_lines.h"
#include "encoder/precision_plan.h"

namespace xdna::bench {
namespace {

constexpr double kNamedShare = 0.05;

// Of audio as it is: padding of the last window is not counted.
double Rtf(const EncoderJob& job, double window_s, double extra_s = 0) {
  return job.audio.seconds / (window_s * static_cast<double>(job.windows()) + extra_s);
}

std::string Percent(double part, double whole) {
  return whole > 0 ? fmt::format("{:.0f} %", 100 * part / whole) : "-";
}

class Report {
 public:
  Report(const EncoderJob& job, const std::vector<EncoderResult>& results, bool color)
      : job_(job), results_(results), color_(color) {}

  void Head(const MachinePeak& peak) {
    const encoder::Model& model = job_.chosen.model;
    Line("encoder    {} on cpu, measured; {} of {} windows of 30 s checked against {}",
         job_.shape.name, job_.checked.size(), job_.windows(), job_.references.front().source);
    if (job_.shape.stem == encoder::Stem::kProjection) {
      Line(
          "           3001 positions and a seeded projection in place of the convolutions: no "
          "transcription");
    }
    Line("model      {}, {}, sha256 {:.12}", model.geometry().name, model.format(), model.sha256());
    if (job_.chosen.synthetic) Line("           seeded numbers: {}", job_.chosen.note);
    Line("speech     {:.2f} s in {} window{}: {}", job_.audio.seconds, job_.windows(),
         job_.windows() == 1 ? "" : "s", job_.audio.source);
    Line(
        "peak       f32 {:.0f} GFLOP/s ({}), bf16 {:.0f} ({}), int8 {:.0f} ({}), memory {:.0f} "
        "GB/s; {} threads",
        peak.f32.flops / 1e9, peak.f32.instruction, peak.bf16.flops / 1e9, peak.bf16.instruction,
        peak.int8.flops / 1e9, peak.int8.instruction, peak.bandwidth / 1e9, peak.threads);
    Line("");
  }

  void Verdicts(const std::string& command) {
    Line("{:9} {:12} {:>8} {:>8} {:>9} {:>7} {:>6} {:>8} {:>12} {:>9} {:>8}", "precision",
         "verdict", "rel-L2", "limit", "ms/window", "best", "+-", "RTF", "RTF with mel", "GFLOP/s",
         "of peak");
    for (const EncoderResult& r : results_) {
      const std::string name = VariantTitle(r.variant);
      if (!r.verdict.passed()) {
        Line("{:9} {}", name, Colored(r, golden::Describe(r.verdict)));
        Line("          again: {} --precision={} --backend={}", command,
             ops::PrecisionName(r.variant.precision), ops::BackendName(r.variant.backend));
        continue;
      }
      Line("{:9} {} {:8.1e} {:8.1e} {:9.1f} {:7.1f} {:>6} {:>8} {:>12} {:9.0f} {:>8}", name,
           Verdict(r), r.verdict.rel_l2, r.tolerance.rel_l2, 1e3 * r.median_s(), 1e3 * r.min_s(),
           Percent(r.spread(), 1), fmt::format("{:.0f}x", Rtf(job_, r.median_s())),
           fmt::format("{:.0f}x", Rtf(job_, r.median_s(), job_.mel_s)),
           r.flops / r.median_s() / 1e9, Percent(r.floor_s, r.median_s()));
    }
    Line(
        "RTF is seconds of speech over seconds of encoding; silence that fills the last window "
        "does not count.");
    Line("mel        {:.1f} ms for {} window{}", 1e3 * job_.mel_s, job_.windows(),
         job_.windows() == 1 ? "" : "s");
    Line("");
  }

  void Stages() {
    for (const EncoderResult& r : results_) {
      if (!r.verdict.passed()) continue;
      Line("{:5} {:16} {:>8} {:>7} {:>9} {:>8}", VariantTitle(r.variant), "stage", "ms", "share",
           "GFLOP/s", "of peak");
      double sum = 0;
      for (const StageTime& stage : r.stages) {
        sum += stage.seconds;
        const bool named = stage.seconds > kNamedShare * r.median_s();
        Line("{:5} {:16} {:8.2f} {:>7} {:>9} {:>8}{}", "", stage.stage, 1e3 * stage.seconds,
             Percent(stage.seconds, r.median_s()),
             stage.flops > 0 ? fmt::format("{:.0f}", stage.flops / stage.seconds / 1e9) : "-",
             stage.floor_s > 0 ? Percent(stage.floor_s, stage.seconds) : "-", named ? "  *" : "");
      }
      const double other = std::max(0.0, r.median_s() - sum);
      Line("{:5} {:16} {:8.2f} {:>7}", "", "between stages", 1e3 * other,
           Percent(other, r.median_s()));
      Line("{:5} {:16} {:8.2f}   first window {:.1f} ms", "", "all", 1e3 * r.median_s(),
           1e3 * r.first_s);
      for (const StageTime& stage : r.stages) {
        if (stage.exps > 0) Limit(stage);
      }
      if (r.variant.precision != ops::Precision::kF32) {
        Line("{:5} {}", "",
             encoder::Describe(encoder::MakePrecisionPlan(r.variant.precision, job_.shape.layers)));
      }
      Line("");
    }
    Line("*          over {:.0f} % of the time", 100 * kNamedShare);
  }

  void Budget() {
    Line("budget     {:.1f} ms a window of {:.0f} s is {:.0f}x", 1e3 * kBudgetSeconds,
         kWindowSeconds, kTargetRtf);
    for (const EncoderResult& r : results_) {
      if (!r.verdict.passed()) continue;
      const double over = r.median_s() - kBudgetSeconds;
      if (over <= 0) {
        Line("           {:9} {:.1f} ms: {:.1f} ms within it", VariantTitle(r.variant),
             1e3 * r.median_s(), -1e3 * over);
        continue;
      }
      Line(
          "           {:9} {:.1f} ms: {:.1f} ms over it; at {} of peak it would fit, and {} of "
          "peak is the floor",
          VariantTitle(r.variant), 1e3 * r.median_s(), 1e3 * over,
          Percent(r.floor_s, kBudgetSeconds), fmt::format("{:.1f} ms at 100 %", 1e3 * r.floor_s));
    }
  }

  void Provenance(const Environment& e) {
    Line("provenance {}; {}; {}", RevisionString(e), e.compiler, e.date);
    Line("           {}; {}; load {:.1f}", e.machine_class, e.cpu_features, e.load_average);
  }

  std::string Take() { return std::move(text_); }

 private:
  template <typename... Args>
  void Line(fmt::format_string<Args...> format, Args&&... args) {
    if (job_.chosen.synthetic) text_ += kSyntheticMark;
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
  }

  // Of a stage that is more than multiplications.
  void Limit(const StageTime& stage) {
    Line(
        "{:5} {}: {:.1f} GFLOP at peak {:.2f} ms, {:.0f} M of 2^x at {:.1f} G/s {:.2f} ms: {} of "
        "that limit",
        "", stage.stage, stage.flops / 1e9, 1e3 * stage.floor_s, stage.exps / 1e6,
        stage.exps / stage.exp_s / 1e9, 1e3 * stage.exp_s, Percent(stage.limit_s(), stage.seconds));
  }

  // "passed 92 %": what is left of the tolerance.
  std::string Verdict(const EncoderResult& r) const {
    return Colored(
        r, fmt::format("{:12}", fmt::format("{} {:.0f} %", golden::StatusName(r.verdict.status),
                                            r.verdict.headroom_percent())));
  }

  std::string Colored(const EncoderResult& r, const std::string& text) const {
    constexpr int kGreen = 32;
    constexpr int kRed = 31;
    constexpr int kYellow = 33;
    if (!color_) return text;
    const bool bad = r.verdict.status == golden::Status::kFailed ||
                     r.verdict.status == golden::Status::kMistrusted;
    return fmt::format("\033[{}m{}\033[0m", r.verdict.passed() ? kGreen : (bad ? kRed : kYellow),
                       text);
  }

  const EncoderJob& job_;
  const std::vector<EncoderResult>& results_;
  bool color_;
  std::string text_;
};

}  // namespace

std::string EncoderReport(const EncoderJob& job, const std::vector<EncoderResult>& results,
                          const MachinePeak& peak, const Environment& environment,
                          const std::string& command, bool color) {
  Report report(job, results, color);
  report.Head(peak);
  report.Verdicts(command);
  report.Stages();
  report.Budget();
  report.Provenance(environment);
  return report.Take();
}

}  // namespace xdna::bench
