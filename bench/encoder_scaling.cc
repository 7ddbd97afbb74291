#include "bench/encoder_scaling.h"

#include <fmt/format.h>

#include <cstddef>
#include <memory>

#include "base/thread_pool.h"
#include "bench/encoder_lines.h"
#include "bench/encoder_record.h"
#include "bench/environment.h"
#include "bench/machine_peak.h"
#include "bench/progress.h"
#include "bench/run_record.h"
#include "encoder/verify.h"

namespace xdna::bench {

Scaling MeasureScaling(const EncoderJob& job, const ops::Variant& variant,
                       const std::vector<int>& threads) {
  Scaling scaling = {threads, std::vector<EncoderResult>(threads.size())};
  std::vector<std::unique_ptr<ThreadPool>> pools;
  std::vector<ThreadPool*> lent;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    lent.push_back(pools.emplace_back(std::make_unique<ThreadPool>(threads[i])).get());
    scaling.results[i].variant = variant;
    scaling.results[i].tolerance = encoder::OutputTolerance(variant.precision);
  }
  TimeInTurns(job, lent, scaling.results);
  for (std::size_t i = 0; i < threads.size(); ++i) {
    ApplyPeak({&scaling.results[i], 1}, threads[i]);
  }
  return scaling;
}

std::string ScalingReport(const EncoderJob& job, const std::vector<Scaling>& scalings) {
  Lines line(job);
  line("{:9} {:>7} {:12} {:>9} {:>7} {:>6} {:>6} {:>7} {:>10} {:>8}", "precision", "threads",
       "verdict", "ms/window", "best", "+-", "RTF", "faster", "efficiency", "of peak");
  for (const Scaling& scaling : scalings) {
    for (std::size_t i = 0; i < scaling.results.size(); ++i) {
      const EncoderResult& r = scaling.results[i];
      const std::string name = VariantTitle(r.variant);
      const int threads = scaling.threads[i];
      if (!r.verdict.passed()) {
        line("{:9} {:7} {}", name, threads, golden::Describe(r.verdict));
        continue;
      }
      const EncoderResult& first = scaling.results.front();
      const bool known = first.verdict.passed();
      const double faster = first.median_s() / r.median_s();
      line("{:9} {:7} {:12} {:9.1f} {:7.1f} {:4.0f} % {:>6} {:>7} {:>10} {:6.0f} %", name, threads,
           fmt::format("passed {:.0f} %", r.verdict.headroom_percent()), 1e3 * r.median_s(),
           1e3 * r.min_s(), 100 * r.spread(),
           TimesRealTime(job.audio.seconds / (r.median_s() * static_cast<double>(job.windows()))),
           known ? fmt::format("{:.2f}x", faster) : "-",
           known ? fmt::format("{:.0f} %", 100 * faster * scaling.threads.front() / threads) : "-",
           100 * r.floor_s / r.median_s());
    }
  }
  line(
      "In turns, {} of one window untimed and {} samples each. faster: than with the first number "
      "of threads;\nefficiency: that by thread; of peak: of so many threads.",
      kTurns, kTurnSamples);
  return line.Take();
}

bool RunScaling(const EncoderJob& job, const std::vector<ops::Variant>& variants,
                const std::vector<int>& threads, const std::string& json,
                const Environment& environment) {
  std::vector<Scaling> scalings;
  {
    Progress progress(variants.size());
    for (const ops::Variant& variant : variants) {
      progress.Next(VariantTitle(variant));
      scalings.push_back(MeasureScaling(job, variant, threads));
    }
  }
  Lines head(job);
  head("threads    {} on cpu, measured; {:.2f} s of speech in {} window{}", job.shape.name,
       job.audio.seconds, job.windows(), job.windows() == 1 ? "" : "s");
  Lines foot(job);
  foot("provenance {}; {}; {}", RevisionString(environment), environment.compiler,
       environment.date);
  foot("           {}; {}; load {:.1f}", environment.machine_class, environment.cpu_features,
       environment.load_average);
  fmt::print("{}{}{}", head.Take(), ScalingReport(job, scalings), foot.Take());
  bool right = true;
  for (const Scaling& scaling : scalings) {
    for (std::size_t i = 0; i < scaling.results.size(); ++i) {
      const EncoderResult& result = scaling.results[i];
      right = right &&
              (result.verdict.passed() || result.verdict.status == golden::Status::kUnsupported);
      if (json.empty()) continue;
      Environment with = environment;
      with.threads = scaling.threads[i];
      AppendRecord(json, EncoderRecord(job, result, MeasurePeak(with.threads), with));
    }
  }
  return right;
}

}  // namespace xdna::bench
