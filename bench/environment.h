// Where a number comes from: what was built, with what, and the machine it ran on.
#ifndef BENCH_ENVIRONMENT_H_
#define BENCH_ENVIRONMENT_H_

#include <map>
#include <optional>
#include <string>

namespace xdna::bench {

struct Environment {
  std::string git_revision = "unknown";  // 40 digits
  std::optional<bool> git_dirty;         // tracked files differ; empty where unknown
  std::string compiler;                  // "GCC 12.2.0"
  std::string flags;                     // what may change speed or results; no warnings
  std::string cpu_model;
  std::string cpu_features;
  int cpus = 0;     // that this process may use
  int threads = 0;  // that it used
  // Vendor, family, model, widest instructions, CPUs: times from two machine classes
  // are not to be compared. "amd-family26-model2-avx512_bf16-2cpu"
  std::string machine_class;
  std::string governor = "unknown";
  double load_average = 0;                       // over one minute, at the start
  std::map<std::string, std::string> libraries;  // name -> version, of what runs
  std::string date;                              // UTC, "2026-11-23T18:00:00Z"

  bool operator==(const Environment&) const = default;
};

// Never fails: what can't be found out is "unknown". The revision is that of the
// workspace which `bazel run` was typed in (BUILD_WORKSPACE_DIRECTORY).
Environment CurrentEnvironment(int threads);

// "git 1234567890ab (with changes)".
std::string RevisionString(const Environment& environment);

}  // namespace xdna::bench

#endif  // BENCH_ENVIRONMENT_H_
