#include "bench/encoder_taps.h"

#include <fmt/format.h>

#include "base/error.h"
#include "bench/encoder_lines.h"
#include "encoder/cpu_encoder.h"
#include "encoder/verify.h"
#include "golden/compare.h"

namespace xdna::bench {
namespace {

TapStatistics Of(const std::string& name, const TensorView& values) {
  return StatisticsOf(name, Convert(values, DType::kF32));
}

}  // namespace

void TapTable::Add(const std::string& name, const TensorView& found) {
  const auto expected = reference_.find(name);
  if (expected == reference_.end()) return;
  golden::Tolerance no_limits;
  no_limits.absolute = golden::kNoLimit;
  const golden::Verdict verdict = golden::Compare(found, expected->second, no_limits);
  rows_.push_back({Of(name, found), Of(name, expected->second), verdict.rel_l2});
}

std::string TapTable::Report(const EncoderJob& job, const std::string& of) const {
  Lines line(job);
  line("{}", "");
  line("{}: results inside, first window; found, then the reference's", of);
  line("{:14}{:>9} | {:>9} {:>9} | {:>9} {:>9} | {:>9} {:>9} | {:>9} {:>9}", "result", "rel-L2",
       "mean", "", "std", "", "min", "", "max", "");
  for (const TapRow& row : rows_) {
    const TapStatistics &f = row.found, &e = row.expected;
    line("{:14}{:9.1e} | {:9.4f} {:9.4f} | {:9.4f} {:9.4f} | {:9.3f} {:9.3f} | {:9.3f} {:9.3f}{}",
         f.name, row.rel_l2, f.mean, e.mean, f.deviation, e.deviation, f.least, e.least, f.most,
         e.most, f.finite ? "" : "  NOT FINITE");
  }
  return line.Take();
}

std::string TapReports(const EncoderJob& job, const std::vector<ops::Variant>& variants,
                       const std::vector<EncoderPoint>& points, const NpuRunOptions& options,
                       ThreadPool& pool) {
  const TensorView mel = job.Window(0);
  const TensorMap reference =
      encoder::FindReferenceTaps(job.chosen.model, job.shape, job.audio, 0, mel, [](double) {});
  std::string text;
  for (const ops::Variant& variant : variants) {
    TapTable table(reference);
    try {
      encoder::CpuEncoder cpu(job.chosen.model, job.shape, {variant, true}, {&pool, nullptr});
      const Tensor out(DType::kF32, {job.shape.positions, job.shape.d});
      cpu.Run(mel, out, [&](const std::string& name, const TensorView& y) { table.Add(name, y); });
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupported) throw;
      continue;
    }
    text += table.Report(job, fmt::format("cpu {} {}", ops::BackendName(variant.backend),
                                          ops::PrecisionName(variant.precision)));
  }
  for (const EncoderPoint& point : points) {
    TapTable table(reference);
    try {
      RunWithTaps(job, point, options,
                  [&](const std::string& name, const Tensor& y) { table.Add(name, y); });
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupported) throw;
      continue;
    }
    text += table.Report(job, point.name);
  }
  return text;
}

}  // namespace xdna::bench
