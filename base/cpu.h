// What this machine's processor can do, asked at run time.
#ifndef BASE_CPU_H_
#define BASE_CPU_H_

#include <string>

namespace xdna {

struct CpuFeatures {
  bool avx2 = false;         // AVX2 and FMA
  bool avx512 = false;       // F, BW, DQ and VL
  bool avx512_bf16 = false;  // vdpbf16ps
  bool avx512_vnni = false;  // vpdpbusd
  bool amx_bf16 = false;     // tdpbf16ps, and the kernel let us use the tiles
  bool amx_int8 = false;     // tdpbssd, likewise
};

// Detected once. Asks Linux for permission to use AMX's tile state the first
// time (arch_prctl ARCH_REQ_XCOMP_PERM, Linux 5.16; Documentation/x86/xstate.rst);
// threads started later inherit it.
const CpuFeatures& Cpu();

// "avx2 avx512 ..." for records and reports.
std::string CpuFeatureString();
// "AMD EPYC", as /proc/cpuinfo names it; "unknown" where that can't be read.
std::string CpuModelName();
// CPUs that this process may run on (its affinity mask).
int AvailableCpus();

}  // namespace xdna

#endif  // BASE_CPU_H_
