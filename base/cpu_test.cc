#include "base/cpu.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "base/error.h"

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

TEST(Isa, NamesAreReadBack) {
  for (const Isa isa : kAllIsas) EXPECT_EQ(IsaFromName(IsaName(isa)), isa);
  try {
    IsaFromName("sse9");
    FAIL() << "took an unknown name";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("sse9"), std::string::npos) << error.what();
  }
}

// In a process of its own, since there is no way back. Its status: the highest level left.
void LimitAndExit(Isa isa) {
  LimitCpu(isa);
  const CpuFeatures& cpu = Cpu();
  const int left = cpu.amx_bf16 ? 4 : cpu.avx512_bf16 ? 3 : cpu.avx512 ? 2 : cpu.avx2 ? 1 : 0;
  std::exit(std::getenv("DNNL_MAX_CPU_ISA") != nullptr ? left : 100);
}

TEST(IsaDeathTest, EachLevelOfThisMachineCanBeSet) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const Isa isa : kAllIsas) {
    if (isa > MachineIsa()) continue;
    EXPECT_EXIT(LimitAndExit(isa), testing::ExitedWithCode(static_cast<int>(isa)), "");
  }
}

TEST(Isa, RefusesWhatTheMachineLacksAndWhatComesTooLate) {
  const auto code = [](Isa isa) {
    try {
      LimitCpu(isa);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kNotFound;
  };
  Cpu();
  EXPECT_EQ(code(MachineIsa()), ErrorCode::kInternal);
  if (MachineIsa() == Isa::kAmx) GTEST_SKIP() << "this machine has all that there is";
  EXPECT_EQ(code(Isa::kAmx), ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace xdna
