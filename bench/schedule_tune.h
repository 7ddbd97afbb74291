// --tile=tuned of //bench:encoder: the tile of a whole schedule, which all its products share.
#ifndef BENCH_SCHEDULE_TUNE_H_
#define BENCH_SCHEDULE_TUNE_H_

#include <cstddef>
#include <string>

#include "bench/encoder_measure.h"
#include "bench/encoder_npu.h"
#include "bench/op_tune.h"
#include "bench/tune.h"
#include "encoder/graph.h"
#include "encoder/schedule.h"

namespace xdna::bench {

// Named "64x64x64+64x48": tile_m x tile_k x tile_n, and with fused attention queries x keys. All
// that divide the encoder's width and that the array's designs hold; ranked by the products of a
// layer and its heads.
TuneSpace ScheduleTiles(const encoder::EncoderShape& shape, const encoder::Schedule& schedule);

// The schedule with such a tile in the place of its own. Throws kInvalidArgument for another name.
encoder::Schedule WithTile(encoder::Schedule schedule, const std::string& tile);

// How many tiles a search simulates: a window takes seconds.
inline constexpr std::size_t kScheduleTilesSimulated = 12;

// The schedule with the tile that makes a window the shortest and passes: out of the cache, or from
// a search that encodes the job's first window with each of the best few and with the schedule's
// own tile, and checks the fastest. Prints what it chose and why; unchanged where nothing passes.
encoder::Schedule TuneSchedule(const EncoderJob& job, const encoder::Schedule& schedule,
                               const NpuRunOptions& npu, TuneOptions options);

}  // namespace xdna::bench

#endif  // BENCH_SCHEDULE_TUNE_H_
