#include "tools/aie_replay/replay.h"

#include <aie_api/aie.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "tools/aie_replay/datasets.h"

namespace xdna::aie_replay {
namespace {

constexpr std::size_t kProducts = 8;  // of one bf16 MAC

std::size_t MacBf16(const Job& job) {
  const CaptureReader capture(job.in);
  const auto acc = capture.Read<std::uint32_t>("/acc");
  const auto a = capture.Read<std::uint16_t>("/a", kProducts);
  const auto b = capture.Read<std::uint16_t>("/b", kProducts);
  if (a.size() != acc.size() * kProducts || b.size() != a.size()) {
    Throw(ErrorCode::kCorrupt,
          "{}: /acc, /a and /b have {}, {} and {} rows; expected as many in each", job.in,
          acc.size(), a.size() / kProducts, b.size() / kProducts);
  }
  std::vector<std::uint32_t> out(acc.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = aie::lane::MacBf16(acc[i], &a[i * kProducts], &b[i * kProducts], kProducts, false,
                                job.options);
  }
  WriteOut(job.out, out);
  return out.size();
}

std::size_t SrsBf16(const Job& job) {
  const auto in = CaptureReader(job.in).Read<std::uint32_t>("/in");
  const auto mode = static_cast<aie::rounding_mode>(job.rounding);
  std::vector<std::uint16_t> out(in.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = aie::lane::Bf16FromF32(in[i], mode);
  WriteOut(job.out, out);
  return out.size();
}

std::size_t VfloorBf16(const Job& job) {
  const auto in = CaptureReader(job.in).Read<std::uint16_t>("/in");
  std::vector<std::int32_t> out(in.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = aie::lane::FloorBf16(in[i], job.shift);
  WriteOut(job.out, out);
  return out.size();
}

}  // namespace

std::size_t Replay(const Job& job) {
  if (job.rounding < 0 || job.rounding > 13 || (job.rounding > 3 && job.rounding < 8)) {
    Throw(ErrorCode::kInvalidArgument, "rounding {}: no such mode; there are 0 to 3 and 8 to 13",
          job.rounding);
  }
  if (job.shift < -32 || job.shift > 31) {
    Throw(ErrorCode::kInvalidArgument, "shift {}: must be from -32 to 31", job.shift);
  }
  if (job.op == "mac_bf16") return MacBf16(job);
  if (job.op == "srs_bf16") return SrsBf16(job);
  if (job.op == "vfloor_bf16") return VfloorBf16(job);
  Throw(ErrorCode::kInvalidArgument,
        "operation '{}': unknown; there are mac_bf16, srs_bf16 and vfloor_bf16", job.op);
}

}  // namespace xdna::aie_replay
