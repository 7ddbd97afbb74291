// An op on the NPU's whole array: verdicts, modelled times, and what the time is made of.
#ifndef BENCH_OP_ARRAY_H_
#define BENCH_OP_ARRAY_H_

#include "bench/op_options.h"
#include "bench/op_report.h"
#include "golden/store.h"
#include "ops/contract.h"

namespace xdna::bench {

// Times the array's points of `options`, checks them unless `options.dry_run`, prints a table for
// each shape and precision, and appends records. Points whose tile is "*" are timed for each tile;
// their table has the fastest first, and of them only that one is checked. Points whose tile is
// "tuned" get what a search finds; with `options.tune` every point is one search, which explains
// its choice. Returns the program's exit status.
int RunOnArray(const ops::Contract& op, const golden::Store& store, OpOptions& options,
               const OpSession& session);

}  // namespace xdna::bench

#endif  // BENCH_OP_ARRAY_H_
