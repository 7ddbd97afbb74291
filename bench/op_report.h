// What a person and a run record are told of the points of an op.
#ifndef BENCH_OP_REPORT_H_
#define BENCH_OP_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/environment.h"
#include "bench/machine_peak.h"
#include "bench/op_point.h"
#include "bench/run_record.h"
#include "ops/contract.h"

namespace xdna::bench {

// What a point's work takes at the least on this machine.
struct OpLimits {
  double flops = 0;           // of one run
  double bytes = 0;           // of one run, least traffic
  double peak_flops = 0;      // a second
  double peak_bandwidth = 0;  // a second, reading a working set of `bytes`

  double compute_s() const { return flops / peak_flops; }
  double memory_s() const { return bytes / peak_bandwidth; }
  bool memory_bound() const { return memory_s() > compute_s(); }
  double seconds() const { return memory_bound() ? memory_s() : compute_s(); }
};
OpLimits LimitsOf(const ops::Contract& op, const OpPoint& point, const MachinePeak& peak);

// A time below this is not believed: the work at 1.05 times the measured peak, since the
// clock moves between two measurements.
double FloorSeconds(const OpLimits& limits);

// Where all points of one program run come from.
struct OpSession {
  Environment environment;
  std::string golden_sha256;
  std::uint64_t seed = 0;
};

// Of a measured record.
SeriesKey SeriesOf(const ops::Contract& op, const OpPoint& point, int threads);
RunRecord RecordOf(const ops::Contract& op, const OpPoint& point, const OpLimits& limits,
                   const OpSession& session);

// Lines of text, each with its end. Colours are for terminals.
class OpTable {
 public:
  OpTable(const std::vector<OpPoint>& points, bool color);

  std::string Header() const;
  // A line, and below it whatever is wrong with the point, with its repro line.
  std::string Row(const OpPoint& point, const OpLimits& limits, const RunRecord& record) const;
  std::string DryHeader() const;
  std::string DryRow(const OpPoint& point, const OpLimits& limits) const;

 private:
  std::string Colored(const std::string& text, bool good) const;

  std::size_t shape_width_ = 5;
  bool color_;
};

// "AMD EPYC, 2 threads; peak f32 457 GFLOP/s (vfmadd231ps zmm), ..."
std::string MachineLine(const Environment& environment, const MachinePeak& peak);
std::string ProvenanceLine(const OpSession& session);

}  // namespace xdna::bench

#endif  // BENCH_OP_REPORT_H_
