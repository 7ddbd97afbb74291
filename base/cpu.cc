#include "base/cpu.h"

#include <cpuid.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

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
  // CPUID leaf 7, EDX: bit 22 AMX-BF16, 24 AMX-TILE, 25 AMX-INT8 (Intel SDM 2A).
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1U << 24)) != 0 &&
      MayUseAmxTiles()) {
    cpu.amx_bf16 = (edx & (1U << 22)) != 0;
    cpu.amx_int8 = (edx & (1U << 25)) != 0;
  }
#endif
  return cpu;
}

}  // namespace

const CpuFeatures& Cpu() {
  static const CpuFeatures cpu = Detect();
  return cpu;
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
