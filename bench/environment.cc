#include "bench/environment.h"

#include <H5public.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <hwy/highway.h>

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>

#include "base/cpu.h"
#include "bench/compiler_flags.inc"

namespace xdna::bench {
namespace {

// What `git ARGUMENTS` prints, without the last line's end; nothing if it fails.
std::optional<std::string> Git(const std::string& workspace, const char* arguments) {
  std::string quoted;
  for (char c : workspace) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  const std::string command = fmt::format("git -C '{}' {} 2>/dev/null", quoted, arguments);
  FILE* const pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) return std::nullopt;
  std::string output;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) output += buffer.data();
  if (pclose(pipe) != 0) return std::nullopt;
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

void AddRevision(Environment& environment) {
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (workspace == nullptr) return;
  const auto revision = Git(workspace, "rev-parse HEAD");
  if (!revision || revision->size() != 40) return;
  environment.git_revision = *revision;
  // A source that is not tracked is built only where a tracked BUILD file names it.
  const auto changes = Git(workspace, "status --porcelain --untracked-files=no");
  if (changes) environment.git_dirty = !changes->empty();
}

std::string Compiler() {
#if defined(__clang__)
  return fmt::format("Clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#elif defined(__GNUC__)
  return fmt::format("GCC {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#else
  return "unknown";
#endif
}

std::string Dnnl() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

std::string Hdf5() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  if (H5get_libversion(&major, &minor, &release) < 0) return "unknown";
  return fmt::format("{}.{}.{}", major, minor, release);
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) && !line.empty() ? line : "unknown";
}

// The value of /proc/cpuinfo's first `field`.
std::string CpuInfo(const std::string& field) {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with(field + "\t") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string Vendor() {
  std::string id = CpuInfo("vendor_id");
  if (id == "AuthenticAMD") return "amd";
  if (id == "GenuineIntel") return "intel";
  return id;
}

std::string WidestInstructions() {
  const CpuFeatures& cpu = Cpu();
  if (cpu.amx_bf16) return "amx";
  if (cpu.avx512_bf16) return "avx512_bf16";
  if (cpu.avx512_vnni) return "avx512_vnni";
  if (cpu.avx512) return "avx512";
  return cpu.avx2 ? "avx2" : "baseline";
}

}  // namespace

Environment CurrentEnvironment(int threads) {
  Environment environment;
  AddRevision(environment);
  environment.compiler = Compiler();
  environment.flags = kCompilerFlags;
  environment.cpu_model = CpuModelName();
  environment.cpu_features = CpuFeatureString();
  environment.cpus = AvailableCpus();
  environment.threads = threads;
  environment.machine_class =
      fmt::format("{}-family{}-model{}-{}-{}cpu", Vendor(), CpuInfo("cpu family"), CpuInfo("model"),
                  WidestInstructions(), environment.cpus);
  environment.governor = FirstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  if (getloadavg(&environment.load_average, 1) != 1) environment.load_average = 0;
  environment.libraries = {
      {"onednn", Dnnl()},
      {"hdf5", Hdf5()},
      {"eigen",
       fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION)},
      {"highway", fmt::format("{}.{}.{}", HWY_MAJOR, HWY_MINOR, HWY_PATCH)},
  };
  environment.date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  return environment;
}

std::string RevisionString(const Environment& environment) {
  if (environment.git_revision == "unknown") return "git revision unknown";
  return fmt::format("git {}{}", environment.git_revision.substr(0, 12),
                     environment.git_dirty.value_or(true) ? " with changes" : "");
}

}  // namespace xdna::bench
