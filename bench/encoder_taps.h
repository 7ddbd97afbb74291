// Every result inside an encoder beside the reference's: where error enters.
#ifndef BENCH_ENCODER_TAPS_H_
#define BENCH_ENCODER_TAPS_H_

#include <string>
#include <vector>

#include "base/tensor.h"
#include "bench/encoder_measure.h"
#include "bench/encoder_npu.h"
#include "bench/encoder_points.h"
#include "ops/contract.h"

namespace xdna::bench {

struct TapRow {
  TapStatistics found, expected;
  double rel_l2 = 0;
};

// Of the job's first window, in the order of computation.
class TapTable {
 public:
  // `reference`: results by name, f32 or f64.
  explicit TapTable(const TensorMap& reference) : reference_(reference) {}

  // A result that the reference has not is left out.
  void Add(const std::string& name, const TensorView& found);
  const std::vector<TapRow>& rows() const { return rows_; }
  std::string Report(const EncoderJob& job, const std::string& of) const;

 private:
  const TensorMap& reference_;
  std::vector<TapRow> rows_;
};

// Tables of these variants on the CPU, then of these points; runs each once more, untimed. What
// can't be run is left out.
std::string TapReports(const EncoderJob& job, const std::vector<ops::Variant>& variants,
                       const std::vector<EncoderPoint>& points, const NpuRunOptions& options,
                       ThreadPool& pool);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_TAPS_H_
