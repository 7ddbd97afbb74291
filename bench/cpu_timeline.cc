#include "bench/cpu_timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace xdna::bench {
namespace {

using Clock = ops::Profile::Clock;
using Micros = std::chrono::duration<double, std::micro>;

struct Stage {
  std::string_view name;
  int layer = -1;
  double begin_us = 0;
  double end_us = 0;
  double busy_us = 0;  // of all threads
};

// The pool logs as long as this lives, even where the run throws.
class Logging {
 public:
  explicit Logging(ThreadPool& pool) : pool_(pool), log_(pool.threads()) { pool.LogTo(&log_); }
  ~Logging() { pool_.LogTo(nullptr); }
  Logging(const Logging&) = delete;
  Logging& operator=(const Logging&) = delete;
  const WorkLog& log() const { return log_; }

 private:
  ThreadPool& pool_;
  WorkLog log_;
};

class Recording {
 public:
  Recording(const ops::Profile& profile, Clock::time_point begin, Clock::time_point end,
            const std::string& name)
      : begin_(begin), end_us_(Micros(end - begin).count()) {
    for (const ops::Span& span : profile.spans()) {
      const double at = Micros(span.begin - begin).count();
      stages_.push_back({span.stage, span.layer, at, at + 1e6 * span.seconds});
    }
    if (stages_.empty()) stages_.push_back({name, -1, 0, end_us_});
  }

  void AddThreads(const std::string& group, const WorkLog& log, int threads, Timeline& timeline) {
    threads_ = threads;
    for (int thread = 0; thread < threads; ++thread) {
      const int lane = timeline.Lane(group, fmt::format("thread {}", thread));
      for (const WorkLog::Piece& piece : log.Of(thread)) {
        const double from = Micros(piece.begin - begin_).count();
        const double to = Micros(piece.end - begin_).count();
        Stage* const stage = StageAt(from);
        if (stage != nullptr) stage->busy_us += to - from;
        const std::string_view name = stage != nullptr ? stage->name : "between stages";
        timeline.Add({lane, "work", std::string(name), from, to});
      }
    }
  }

  void AddStages(int lane, Timeline& timeline) const {
    std::map<std::string_view, double> ms;
    for (const Stage& stage : stages_) {
      const double us = stage.end_us - stage.begin_us;
      ms[stage.name] += us / 1e3;
      Timeline::Interval interval{lane, "stage", std::string(stage.name), stage.begin_us,
                                  stage.end_us};
      if (stage.layer >= 0) interval.numbers.emplace_back("layer", stage.layer);
      if (us > 0) interval.numbers.emplace_back("busy", stage.busy_us / (us * threads_));
      timeline.Add(interval);
    }
    for (const auto& [name, total] : ms) {
      timeline.SetFact(fmt::format("ms of {}", name), fmt::format("{:.6f}", total));
    }
    timeline.SetFact("ms", fmt::format("{:.6f}", end_us_ / 1e3));
  }

 private:
  // Stages follow each other; null between them.
  Stage* StageAt(double us) {
    const auto after = std::upper_bound(stages_.begin(), stages_.end(), us,
                                        [](double t, const Stage& s) { return t < s.begin_us; });
    if (after == stages_.begin()) return nullptr;
    Stage& stage = *(after - 1);
    return us < stage.end_us ? &stage : nullptr;
  }

  Clock::time_point begin_;
  double end_us_;
  int threads_ = 1;
  std::vector<Stage> stages_;
};

}  // namespace

double RecordRun(const std::string& name, ThreadPool& pool, ops::Profile& profile,
                 const std::function<void()>& run, Timeline& timeline) {
  const Logging logging(pool);
  profile.Clear();
  const Clock::time_point begin = Clock::now();
  run();
  const Clock::time_point end = Clock::now();

  Recording recording(profile, begin, end, name);
  const double seconds = std::chrono::duration<double>(end - begin).count();
  timeline.Add({timeline.Lane(name, "run"), "run", name, 0, 1e6 * seconds});
  const int stages = timeline.Lane(name, "stages");
  recording.AddThreads(name, logging.log(), pool.threads(), timeline);
  recording.AddStages(stages, timeline);
  return seconds;
}

double WriteCpuTimeline(const std::string& path, const std::string& name,
                        const Environment& environment, ThreadPool& pool, ops::Profile& profile,
                        const std::function<void()>& run) {
  Timeline timeline("measured");
  const double seconds = RecordRun(name, pool, profile, run, timeline);
  timeline.SetFact("run", name);
  timeline.SetFact("revision", RevisionString(environment));
  timeline.SetFact("cpu", environment.cpu_model);
  timeline.SetFact("machine_class", environment.machine_class);
  timeline.SetFact("date", environment.date);
  timeline.Write(path);
  return seconds;
}

std::string TimelinePath(const std::string& file, const std::string& run, bool many) {
  if (file.empty() || !many) return file;
  std::string part = run;
  std::replace(part.begin(), part.end(), '/', '_');
  const std::filesystem::path path(file);
  return (path.parent_path() /
          fmt::format("{}.{}{}", path.stem().string(), part, path.extension().string()))
      .string();
}

}  // namespace xdna::bench
