// What this machine's processor can do, asked at run time.
#ifndef BASE_CPU_H_
#define BASE_CPU_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace xdna {

struct CpuFeatures {
  bool avx2 = false;         // AVX2 and FMA
  bool avx512 = false;       // F, BW, DQ and VL
  bool avx512_bf16 = false;  // vdpbf16ps
  // vdpbf16ps does twice the work of products in f32: AMD's since Zen 4 does, Intel's half of it
  // (measured on a Xeon with AMX: 215 and 392 Gflop/s on two cores). With VNNI and VBMI.
  bool fast_dot_bf16 = false;
  bool avx512_vnni = false;  // vpdpbusd
  // tdpbf16ps, and the kernel let us use the tiles; with VNNI and VBMI.
  bool amx_bf16 = false;
  bool amx_int8 = false;  // tdpbssd, likewise
};

// Detected once. Asks Linux for permission to use AMX's tile state the first
// time (arch_prctl ARCH_REQ_XCOMP_PERM, Linux 5.16; Documentation/x86/xstate.rst);
// threads started later inherit it.
const CpuFeatures& Cpu();

// Levels of instruction sets, each with all those below it. kAvx512 has vpdpbusd where the machine
// has it; kPortable is what any x86-64 has.
enum class Isa : std::uint8_t { kPortable, kAvx2, kAvx512, kAvx512Bf16, kAmx };
inline constexpr Isa kAllIsas[] = {Isa::kPortable, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16,
                                   Isa::kAmx};
const char* IsaName(Isa isa);            // "portable", "avx2", "avx512", "avx512_bf16", "amx"
Isa IsaFromName(std::string_view name);  // throws kInvalidArgument
// The highest of this machine, whatever LimitCpu said.
Isa MachineIsa();

// From now on Cpu(), Google Highway's dispatch and oneDNN (through DNNL_MAX_CPU_ISA) use nothing
// beyond `isa`. Throws kUnsupported where the machine has less, kInternal after Cpu() was called:
// code may have been chosen by then. For the start of main().
void LimitCpu(Isa isa);

// "avx2 avx512 ..." for records and reports.
std::string CpuFeatureString();
// "AMD EPYC", as /proc/cpuinfo names it; "unknown" where that can't be read.
std::string CpuModelName();
// CPUs that this process may run on (its affinity mask).
int AvailableCpus();

}  // namespace xdna

#endif  // BASE_CPU_H_
