// Runs captured inputs of an AIE2 core through the host's `aie::` API.
#ifndef TOOLS_AIE_REPLAY_REPLAY_H_
#define TOOLS_AIE_REPLAY_REPLAY_H_

#include <aie_api/aie.hpp>
#include <cstddef>
#include <string>

namespace xdna::aie_replay {

struct Job {
  // mac_bf16:    /acc [n] u32 (f32 bits), /a and /b [n,8] u16 (bf16 bits) -> /out [n] u32 (f32
  // bits) srs_bf16:    /in [n] u32 (f32 bits) -> /out [n] u16 (bf16 bits) vfloor_bf16: /in [n] u16
  // (bf16 bits) -> /out [n] i32
  std::string op;
  std::string in, out;  // HDF5
  int rounding = 0;     // the rounding register, for srs_bf16; 0..3 and 8..13
  int shift = 0;        // of vfloor_bf16: floor(x 2^shift), -32..31
  aie::host::options options;
};

// Writes job.out (only when all went well: under another name first) and returns the number of
// rows. Throws kInvalidArgument (unknown op, a register value that does not exist), kNotFound (no
// such file), kCorrupt (not HDF5, or a dataset that is missing or of another type or shape) and
// kUnavailable (can't write).
std::size_t Replay(const Job& job);

}  // namespace xdna::aie_replay

#endif  // TOOLS_AIE_REPLAY_REPLAY_H_
