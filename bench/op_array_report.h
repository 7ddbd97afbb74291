// What a person and a run record are told of an op's points on the NPU's array.
#ifndef BENCH_OP_ARRAY_REPORT_H_
#define BENCH_OP_ARRAY_REPORT_H_

#include <optional>
#include <string>

#include "bench/array_time.h"
#include "bench/op_options.h"
#include "bench/op_point.h"
#include "bench/op_report.h"
#include "bench/run_record.h"
#include "device/measure.h"
#include "ops/contract.h"

namespace xdna::bench {

struct ArrayRow {
  OpPoint* point = nullptr;
  ArrayTime time;
  std::string bound;
  bool timed = false;      // else the point's verdict says why not
  bool checked = false;    // else only its time is known
  bool all_tiles = false;  // the best of all
};

// Lines of text, each with its end. `saved_us`: against the row above.
std::string ArrayModelLine(const device::DeviceOptions& npu);
std::string ArrayHeading(const ops::Contract& op, const OpPoint& point);
std::string ArrayTableHeader();
std::string ArrayTableRow(const ops::Contract& op, const ArrayRow& row, const OpOptions& options,
                          std::optional<double> saved_us);
std::string ArrayFooter();

// Of a modelled record; `verdict` is the point's.
SeriesKey ArraySeriesOf(const ops::Contract& op, const OpPoint& point,
                        const device::DeviceOptions& npu);
RunRecord ArrayRecordOf(const ops::Contract& op, const ArrayRow& row,
                        const RecordedVerdict& verdict, const device::DeviceOptions& npu,
                        const OpSession& session);

}  // namespace xdna::bench

#endif  // BENCH_OP_ARRAY_REPORT_H_
