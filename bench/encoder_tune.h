// //bench:encoder --tune: the tile search for every distinct op, shape and precision of an encoder.
#ifndef BENCH_ENCODER_TUNE_H_
#define BENCH_ENCODER_TUNE_H_

#include <string>
#include <vector>

#include "bench/op_point.h"
#include "bench/op_tune.h"
#include "encoder/graph.h"
#include "ops/contract.h"

namespace xdna::bench {

// One search: an op at a shape, and the nodes of the graph that it serves.
struct EncoderTuneJob {
  const ops::Contract* op = nullptr;
  OpPoint point;
  std::string serves;  // "layer0.attn_ln and 12 more"
};

// The graph's ops, each shape once, and the matrix products that attention and ffn are made of, as
// schedules that run them apart need them; in those of `precisions` ("bf16") that the array has.
std::vector<EncoderTuneJob> EncoderTuneJobs(const encoder::EncoderShape& shape,
                                            const std::vector<std::string>& precisions);

// Searches on 1, 2 and 4 columns, explains each choice and prints a table of them; the winners'
// records, in the series of their ops, are added to the file `json`, unless that is empty. False
// where a result was wrong and no tile won. Throws kInvalidArgument where the array has none of
// `precisions`.
bool TuneEncoder(const encoder::EncoderShape& shape, const std::vector<std::string>& precisions,
                 const TuneOptions& options, const std::string& json);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_TUNE_H_
