#include "base/cpu.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hwy/targets.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace xdna {
namespace {

// Of Linux's asm/prctl.h, which older headers lack.
constexpr int kArchReqXcompPerm = 0x1023;
constexpr int kXfeatureTileData = 18;

bool MayUseAmxTiles() {
#if defined(__x86_64__)
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureTileData) == 0;
#else
  return false;
#endif
}

CpuFeatures Detect() {
  CpuFeatures cpu;
#if defined(__x86_64__)
  __builtin_cpu_init();
  cpu.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  cpu.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  cpu.avx512_bf16 = cpu.avx512 && __builtin_cpu_supports("avx512bf16");
  cpu.avx512_vnni = cpu.avx512 && __builtin_cpu_supports("avx512vnni");
  // What the kernels for these use beside them, and every processor that has them has, unless a
  // hypervisor hides it.
  const bool beside = cpu.avx512_vnni && __builtin_cpu_supports("avx512vbmi");
  cpu.fast_dot_bf16 = cpu.avx512_bf16 && beside && __builtin_cpu_is("amd");
  // CPUID leaf 7, EDX: bit 22 AMX-BF16, 24 AMX-TILE, 25 AMX-INT8 (Intel SDM 2A).
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (beside && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1U << 24)) != 0 &&
      MayUseAmxTiles()) {
    cpu.amx_bf16 = (edx & (1U << 22)) != 0;
    cpu.amx_int8 = (edx & (1U << 25)) != 0;
  }
#endif
  return cpu;
}

Isa HighestOf(const CpuFeatures& cpu) {
  if (cpu.amx_bf16 && cpu.amx_int8) return Isa::kAmx;
  if (cpu.avx512_bf16) return Isa::kAvx512Bf16;
  if (cpu.avx512) return Isa::kAvx512;
  return cpu.avx2 ? Isa::kAvx2 : Isa::kPortable;
}

CpuFeatures Limited(CpuFeatures cpu, Isa isa) {
  if (isa < Isa::kAmx) cpu.amx_bf16 = cpu.amx_int8 = false;
  if (isa < Isa::kAvx512Bf16) cpu.avx512_bf16 = cpu.fast_dot_bf16 = false;
  if (isa < Isa::kAvx512) cpu.avx512 = cpu.avx512_vnni = false;
  if (isa < Isa::kAvx2) cpu.avx2 = false;
  return cpu;
}

// Disables Highway's targets beyond `isa`.
void LimitHighway([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  std::int64_t disabled = 0;
  if (isa < Isa::kAvx512) disabled |= HWY_AVX3 | HWY_AVX3_DL;
  if (isa < Isa::kAvx2) disabled |= HWY_AVX2 | HWY_SSE4 | HWY_SSSE3;
  if (disabled != 0) hwy::DisableTargets(disabled);
#endif
}

// Names of oneDNN's developer guide, "CPU Dispatcher Control".
const char* OneDnnIsa(Isa isa) {
  constexpr const char* kNames[] = {"SSE41", "AVX2", "AVX512_CORE_VNNI", "AVX512_CORE_BF16", "ALL"};
  return kNames[static_cast<std::size_t>(isa)];
}

std::atomic<bool> used = false;
std::atomic<Isa> limit = Isa::kAmx;

}  // namespace

const CpuFeatures& Cpu() {
  static const CpuFeatures cpu = [] {
    used = true;
    return Limited(Detect(), limit);
  }();
  return cpu;
}

const char* IsaName(Isa isa) {
  constexpr const char* kNames[] = {"portable", "avx2", "avx512", "avx512_bf16", "amx"};
  return kNames[static_cast<std::size_t>(isa)];
}

Isa IsaFromName(std::string_view name) {
  std::vector<const char*> known;
  for (const Isa isa : kAllIsas) {
    if (name == IsaName(isa)) return isa;
    known.push_back(IsaName(isa));
  }
  Throw(ErrorCode::kInvalidArgument, "no instruction set '{}'; known: {}", name,
        fmt::join(known, " "));
}

Isa MachineIsa() { return HighestOf(Detect()); }

void LimitCpu(Isa isa) {
  if (isa > MachineIsa()) {
    Throw(ErrorCode::kUnsupported, "this machine has {} at most, not {}", IsaName(MachineIsa()),
          IsaName(isa));
  }
  if (used) Throw(ErrorCode::kInternal, "instructions were chosen before they were limited");
  limit = isa;
  LimitHighway(isa);
  setenv("DNNL_MAX_CPU_ISA", OneDnnIsa(isa), 1);
}

std::string CpuFeatureString() {
  const CpuFeatures& cpu = Cpu();
  std::vector<const char*> names;
  if (cpu.avx2) names.push_back("avx2");
  if (cpu.avx512) names.push_back("avx512");
  if (cpu.avx512_bf16) names.push_back("avx512_bf16");
  if (cpu.avx512_vnni) names.push_back("avx512_vnni");
  if (cpu.amx_bf16) names.push_back("amx_bf16");
  if (cpu.amx_int8) names.push_back("amx_int8");
  return names.empty() ? "baseline" : fmt::format("{}", fmt::join(names, " "));
}

std::string CpuModelName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

int AvailableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return CPU_COUNT(&set);
}

}  // namespace xdna
