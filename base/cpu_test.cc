#include "base/cpu.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace xdna {
namespace {

// The kernel's own list of flags is the second opinion.
TEST(Cpu, AgreesWithProcCpuinfo) {
  std::ifstream info("/proc/cpuinfo");
  std::string flags;
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("flags")) flags = line + " ";
  }
  if (flags.empty()) GTEST_SKIP() << "/proc/cpuinfo has no flags here";
  const auto has = [&](const char* flag) {
    return flags.find(std::string(" ") + flag + " ") != std::string::npos;
  };
  EXPECT_EQ(Cpu().avx2, has("avx2") && has("fma"));
  EXPECT_EQ(Cpu().avx512, has("avx512f") && has("avx512bw") && has("avx512dq") && has("avx512vl"));
  EXPECT_EQ(Cpu().avx512_bf16, has("avx512_bf16"));
  EXPECT_EQ(Cpu().avx512_vnni, has("avx512_vnni"));
  EXPECT_LE(Cpu().amx_bf16, has("amx_bf16"));
  EXPECT_LE(Cpu().amx_int8, has("amx_int8"));
}

TEST(Cpu, DescribesTheMachine) {
  EXPECT_GE(AvailableCpus(), 1);
  EXPECT_FALSE(CpuModelName().empty());
  EXPECT_FALSE(CpuFeatureString().empty());
}

}  // namespace
}  // namespace xdna
