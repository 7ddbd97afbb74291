// Verdicts kept from earlier runs of this very program.
#ifndef BENCH_ENCODER_PROOF_H_
#define BENCH_ENCODER_PROOF_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "bench/encoder_measure.h"
#include "encoder/schedule.h"
#include "golden/compare.h"

namespace xdna::bench {

// Under which a passed verdict is kept: schedule, program, time model, model, speech, windows, and
// how many were in flight.
std::string ProofKey(const EncoderJob& job, const encoder::Schedule& schedule,
                     std::int64_t batch = 1);

// What WriteProof() kept there; nothing where there is none, or none that can be.
std::optional<golden::Verdict> ReadProof(const std::filesystem::path& path);
// Of a verdict that passed. A folder that can't be written to keeps nothing.
void WriteProof(const std::filesystem::path& path, const golden::Verdict& verdict);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_PROOF_H_
