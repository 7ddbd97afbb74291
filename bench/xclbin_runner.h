// Runs a manifest's xclbin: verified, timed, verified again.
#ifndef BENCH_XCLBIN_RUNNER_H_
#define BENCH_XCLBIN_RUNNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/environment.h"
#include "bench/run_record.h"
#include "bench/xclbin_manifest.h"
#include "device/measure.h"
#include "golden/compare.h"

namespace xdna::bench {

struct XclbinCheck {
  std::string when;      // "before timing", "in run 7"
  std::string argument;  // its name
  golden::Verdict verdict;
  golden::Tolerance tolerance;
};

struct XclbinResult {
  std::string device;               // its name
  std::string xclbin_sha256;        // of the file
  std::string instructions_sha256;  // of the words
  // Each result before timing and after it, or up to the first that failed.
  std::vector<XclbinCheck> checks;
  // A run's seconds, `iterations` of them; empty where a check failed. Of a run: what isn't kept
  // is made, inputs are synced to the device, it is waited for, results are synced from it.
  std::vector<double> samples_s;

  // The check that failed, else the one that was closest to its limit.
  const XclbinCheck& decisive() const;
};

// Before the first run inputs are loaded and outputs poisoned. Every timed run's results must have
// the bits of the verified one, or pass a check of their own. Throws kUnsupported for a binary for
// hardware on the simulated NPU, kUnavailable for a run that failed or left results unwritten,
// kInvalidArgument for what the xclbin and the manifest disagree on.
XclbinResult RunXclbin(const Manifest& manifest);

// `npu`: what the simulated NPU was configured as.
RunRecord XclbinRecord(const Manifest& manifest, const XclbinResult& result,
                       const device::DeviceOptions& npu, const Environment& environment);

}  // namespace xdna::bench

#endif  // BENCH_XCLBIN_RUNNER_H_
