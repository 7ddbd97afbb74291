// The timeline of one run on this machine's cores: what --trace writes.
#ifndef BENCH_CPU_TIMELINE_H_
#define BENCH_CPU_TIMELINE_H_

#include <functional>
#include <string>

#include "base/thread_pool.h"
#include "base/timeline.h"
#include "bench/environment.h"
#include "ops/internal/profile.h"

namespace xdna::bench {

// Calls `run`, whose loops are `pool`'s and whose spans go to `profile`, once. The group `name`
// gets the lanes "run" (one interval), "stages" (the spans, with the share of the threads' time
// that was work; one named `name` where the run has none) and "thread 0", ... (pieces of loops, by
// stage). Facts: "ms" in all, "ms of STAGE" for each stage. Returns the run's seconds.
double RecordRun(const std::string& name, ThreadPool& pool, ops::Profile& profile,
                 const std::function<void()>& run, Timeline& timeline);

// RecordRun() to a file, with what is known of the machine. Throws kUnavailable.
double WriteCpuTimeline(const std::string& path, const std::string& name,
                        const Environment& environment, ThreadPool& pool, ops::Profile& profile,
                        const std::function<void()>& run);

// Where the timeline of `run` goes: to `file`; with `many` runs "t.json" becomes "t.RUN.json", with
// '_' for each '/'. Empty for an empty `file`.
std::string TimelinePath(const std::string& file, const std::string& run, bool many);

}  // namespace xdna::bench

#endif  // BENCH_CPU_TIMELINE_H_
