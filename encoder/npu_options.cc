#include "encoder/npu_options.h"

#include <cstddef>

#include "encoder/npu_designs.h"

namespace xdna::encoder {

NpuEncoderOptions NpuOptionsOf(const Schedule& s, const EncoderShape& shape,
                               const CpuProfile& cpu) {
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  NpuEncoderOptions o = DefaultNpuOptions(shape);
  o.gemm = ProductTile(shape.d, size(s.tile_m), size(s.tile_k), size(s.tile_n));
  o.attention.queries = size(s.queries);
  o.attention.keys = size(s.keys);
  o.table_gelu = s.table_gelu;
  o.submission = s.one_run                           ? Submission::kWindow
                 : s.keep == device::Keep::kRunlists ? Submission::kRunlist
                                                     : Submission::kRun;
  o.cpu = cpu;
  return o;
}

}  // namespace xdna::encoder
