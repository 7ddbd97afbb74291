// What was claimed for each schedule of the ladder.
#ifndef REPORTS_DASHBOARD_CLAIMS_H_
#define REPORTS_DASHBOARD_CLAIMS_H_

namespace xdna::dashboard {

struct Claim {
  const char* schedule;
  double rtf;  // 0 where none was claimed
  const char* text;
};

// The phases of a public attempt, November 2025, in order: its starting point as it measured it,
// then the real-time factors that it planned.
inline constexpr Claim kClaims[] = {
    {"phase0-naive", 0.12, "measured: 41.0 s for 5 s of audio, LayerNorm one row a dispatch"},
    {"phase1-batched", 0.94, "LayerNorm of all rows in one dispatch"},
    {"phase1-reuse", 0, "buffers allocated once: LayerNorm 2 to 3 times faster on top"},
    {"phase2-attention", 1.2, "QKV batched, attention's matmuls on the NPU: 5 times faster"},
    {"phase3-ffn", 1.3, "FFN on the NPU with GELU fused: 3 times faster"},
    {"phase4-overlap", 2.6, "DMA beside compute, buffers reused over layers"},
    {"phase5-int8", 5.3, "int8 weights and matmuls, mixed precision"},
    {"phase6-resident", 220, "all operations on the NPU, fused, in on-chip memory"},
};

}  // namespace xdna::dashboard

#endif  // REPORTS_DASHBOARD_CLAIMS_H_
