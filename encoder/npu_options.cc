#include "encoder/npu_options.h"

#include <cstddef>

#include "encoder/schedule_designs.h"

namespace xdna::encoder {

NpuEncoderOptions NpuOptionsOf(const Schedule& s, const EncoderShape& shape,
                               const CpuProfile& cpu) {
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  NpuEncoderOptions o = DefaultNpuOptions(shape);
  o.gemm = ProductOf(s, shape.d);
  o.norm_rows = AddNormRows(s, shape.d);
  o.attention.queries = size(s.queries);
  o.attention.keys = size(s.keys);
  o.attention.columns = size(s.columns);
  o.table_gelu = s.table_gelu;
  o.submission = s.one_run                           ? Submission::kWindow
                 : s.keep == device::Keep::kRunlists ? Submission::kRunlist
                                                     : Submission::kRun;
  o.cpu = cpu;
  return o;
}

}  // namespace xdna::encoder
