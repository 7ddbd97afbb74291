#include "bench/op_array.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "base/thread_pool.h"
#include "bench/array_time.h"
#include "bench/cpu_timeline.h"
#include "bench/op_array_report.h"
#include "bench/op_tune.h"
#include "bench/progress.h"
#include "bench/resume.h"
#include "bench/run_record.h"
#include "bench/user_cache.h"
#include "device/measure.h"
#include "device/sim/timing.h"

namespace xdna::bench {
namespace {

constexpr const char* kTuned = "tuned";

class ArraySweep {
 public:
  ArraySweep(const ops::Contract& op, const golden::Store& store, const OpOptions& options,
             const OpSession& session)
      : op_(op),
        store_(store),
        options_(options),
        session_(session),
        pool_(options.threads),
        runner_(op, store, pool_, options.seed, isatty(STDERR_FILENO) != 0) {}

  // Points of one shape and variant, in their order, as far as their tiles are given.
  void Each(std::vector<OpPoint*> points) {
    fmt::print("\n{}\n{}", ArrayHeading(op_, *points.front()), ArrayTableHeader());
    Progress progress(points.size());
    const ArrayRow* before = nullptr;
    std::vector<ArrayRow> rows;
    rows.reserve(points.size());
    for (OpPoint* point : points) {
      progress.Next(point->name);
      ArrayRow& row = rows.emplace_back(Time(*point));
      if (!options_.dry_run && row.timed) Check(row);
      std::optional<double> saved;
      if (before != nullptr && row.timed && before->point->array.batch == point->array.batch &&
          before->point->array.reuse != point->array.reuse) {
        saved = before->time.us - row.time.us;
      }
      progress.Clear();
      Finish(row, saved);
      before = row.timed ? &row : nullptr;
    }
  }

  // Every tile of a point; the best is checked.
  void Tiles(const OpPoint& like) {
    std::vector<OpPoint> points;
    const ops::ArrayTiles tiles =
        op_.array_tiles(like.dims, like.variant, BatchOf(like), like.array.columns);
    for (const ops::ArrayTile& tile : tiles.legal) {
      points.push_back(like);
      points.back().array.tile = tile.name;
    }
    fmt::print("\n{}: {} legal tiles, the fastest first\n{}", ArrayHeading(op_, like),
               points.size(), ArrayTableHeader());
    std::fflush(stdout);
    std::vector<ArrayRow> timed;
    {
      Progress progress(points.size());
      for (OpPoint& point : points) {
        progress.Next(point.array.tile);
        timed.push_back(Time(point));
      }
    }
    std::ranges::stable_sort(
        timed, {}, [](const ArrayRow& row) { return std::pair(!row.timed, row.time.us); });
    if (!options_.dry_run && !timed.empty() && timed.front().timed) {
      timed.front().all_tiles = true;
      Check(timed.front());
    }
    for (const ArrayRow& row : timed) Finish(row, {});
  }

  // A search, explained. With a file of records its winner becomes a point, for its record.
  void Tune(OpPoint& point, const std::vector<std::size_t>& columns) {
    if (options_.dry_run) return ShowRanking(point, columns);
    const TunedOp tuned = Search(point, columns);
    fmt::print("\n{}{}", TuneHeading(op_, point, tuned), ExplainTune(tuned.result));
    std::fflush(stdout);
    if (!tuned.result.winner) return NoWinner(tuned.result);
    if (options_.json.empty()) return;
    Choose(point, tuned.result.best().choice);
    Each({&point});
  }

  // What --tile=tuned stands for; nothing changes where no tile wins.
  void Resolve(OpPoint& point) {
    const std::vector<std::size_t> columns =
        options_.columns_chosen ? std::vector{point.array.columns} : kAllColumns;
    if (options_.dry_run) return ShowRanking(point, columns);
    const TunedOp tuned = Search(point, columns);
    fmt::print("tuned: {}", TuneHeading(op_, point, tuned));
    if (!tuned.result.winner) return NoWinner(tuned.result);
    Choose(point, tuned.result.best().choice);
  }

  bool wrong() const { return wrong_; }
  double host_s() const { return host_s_; }

  static inline const std::vector<std::size_t> kAllColumns = {1, 2, 4};

 private:
  TunedOp Search(const OpPoint& point, const std::vector<std::size_t>& columns) {
    TuneOptions tune;
    tune.npu = options_.npu;
    tune.seed = options_.seed;
    tune.threads = options_.threads;
    tune.simulate = static_cast<std::size_t>(options_.tune_simulate);
    tune.cache = UserCacheFolder("tiles");
    tune.again = options_.retune;
    TunedOp tuned = TuneOp(op_, store_, point, columns, tune, pool_);
    fmt::print(stderr, "{}", tuned.warnings);
    host_s_ += tuned.host_s;
    return tuned;
  }

  static void Choose(OpPoint& point, const TuneChoice& choice) {
    point.array.tile = choice.tile;
    point.array.columns = choice.columns;
  }

  // What the array can't do is no fault.
  void NoWinner(const TuneResult& result) { wrong_ = wrong_ || RanWrong(result); }

  void ShowRanking(const OpPoint& point, const std::vector<std::size_t>& columns) {
    const TuneSpace space = TuneSpaceOf(op_, point, columns);
    fmt::print("\n{}: {} legal tiles; those to be simulated, by the model alone\n",
               ArrayHeading(op_, point), space.legal.size());
    for (const TuneSpace::Entry& entry :
         RankTiles(space, static_cast<std::size_t>(options_.tune_simulate))) {
      fmt::print("  {:<16} {} columns {:>12.0f} cycles, bound by {}\n", entry.choice.tile,
                 entry.choice.columns, entry.cycles, entry.bound);
    }
  }

  ArrayRow Time(OpPoint& point) {
    ArrayRow row;
    row.point = &point;
    if (!op_.Has(point.variant)) {
      point.verdict = golden::Verdict::Unsupported(
          fmt::format("{} has no {} on {}", op_.name, ops::PrecisionName(point.variant.precision),
                      ops::BackendName(point.variant)));
      return row;
    }
    if (point.array.tile == kTuned) {
      point.verdict = golden::Verdict::Unsupported(
          options_.dry_run ? "not searched: nothing is run" : "no tile both runs and passes");
      return row;
    }
    try {
      const TensorMap& inputs = Inputs(point);
      row.time = TimeOnArray(op_, point, inputs, options_.npu, pool_);
      row.bound = BoundOf(row.time, options_.npu.preset);
      row.timed = true;
      host_s_ += row.time.host_s;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupported) throw;
      point.verdict = golden::Verdict::Unsupported(error.message());
    }
    return row;
  }

  // Seeded, and kept while the shape stays the same.
  const TensorMap& Inputs(const OpPoint& point) {
    if (point.shape != shape_) {
      inputs_ = ops::RandomInputs(op_, point.dims, options_.seed);
      shape_ = point.shape;
    }
    return inputs_;
  }

  void Check(ArrayRow& row) {
    const auto begin = std::chrono::steady_clock::now();
    device::DeviceOptions functional = options_.npu;
    functional.threads = options_.threads;
    device::ConfigureDevice(functional);
    ops::ArrayDevice array(ArrayOptionsOf(*row.point, true));
    runner_.Check(*row.point, &array);
    row.checked = true;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    row.time.host_s += spent.count();
    host_s_ += spent.count();
  }

  void Finish(const ArrayRow& row, std::optional<double> saved) {
    fmt::print("{}", ArrayTableRow(op_, row, options_, saved));
    std::fflush(stdout);
    const bool unsupported = row.point->verdict.status == golden::Status::kUnsupported;
    const bool failed = row.checked && !row.point->verdict.passed() && !unsupported;
    wrong_ = wrong_ || failed;
    if (!options_.json.empty() && row.checked) {
      const RecordedVerdict verdict(row.point->verdict, row.point->tolerance);
      AppendRecord(options_.json, ArrayRecordOf(op_, row, verdict, options_.npu, session_));
    }
    if (!options_.trace.empty() && row.checked && row.point->verdict.passed()) Trace(*row.point);
  }

  // Two calls, the first of which loads overlays.
  void Trace(const OpPoint& point) {
    device::DeviceOptions device = options_.npu;
    device.keep_trace = true;
    TimeOnArray(op_, point, Inputs(point), device, pool_);
    const std::string path = TimelinePath(options_.trace, point.name, options_.points.size() > 1);
    device::WriteTrace(path);
    fmt::print("timeline   {}: two calls, MODELLED; open it in ui.perfetto.dev\n", path);
  }

  const ops::Contract& op_;
  const golden::Store& store_;
  const OpOptions& options_;
  const OpSession& session_;
  ThreadPool pool_;
  OpRunner runner_;
  std::string shape_;
  TensorMap inputs_;
  bool wrong_ = false;
  double host_s_ = 0;
};

bool SameButColumns(const OpPoint& a, const OpPoint& b) {
  return a.shape == b.shape && a.variant == b.variant && a.array.batch == b.array.batch &&
         a.array.reuse == b.array.reuse;
}

// A search for each point, over all the columns that it is there with.
void TuneAll(std::vector<OpPoint*> points, const OpOptions& options, ArraySweep& sweep) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::vector<std::size_t> columns;
    for (std::size_t j = i; j < points.size(); ++j) {
      if (points[j] == nullptr || !SameButColumns(*points[i], *points[j])) continue;
      columns.push_back(points[j]->array.columns);
      if (j != i) points[j] = nullptr;
    }
    std::ranges::sort(columns);
    sweep.Tune(*points[i], options.columns_chosen ? columns : ArraySweep::kAllColumns);
    std::erase(points, nullptr);
  }
}

// A table for each shape and variant, in the order of their first points.
std::vector<OpPoint*> ByTable(const std::vector<OpPoint*>& points) {
  std::vector<OpPoint*> sorted;
  std::set<const OpPoint*> taken;
  for (OpPoint* first : points) {
    for (OpPoint* point : points) {
      const bool same = point->shape == first->shape && point->variant == first->variant;
      if (same && taken.insert(point).second) sorted.push_back(point);
    }
  }
  return sorted;
}

void SweepAll(const std::vector<OpPoint*>& points, ArraySweep& sweep) {
  std::vector<OpPoint*> group;
  const auto flush = [&] {
    if (!group.empty()) sweep.Each(std::exchange(group, {}));
  };
  for (OpPoint* point : ByTable(points)) {
    const bool same = group.empty() || (group.front()->shape == point->shape &&
                                        group.front()->variant == point->variant);
    if (!same || point->array.tile == "*") flush();
    if (point->array.tile == "*") {
      sweep.Tiles(*point);
    } else {
      group.push_back(point);
    }
  }
  flush();
}

// Without those that the file of records has; their number is printed.
std::vector<OpPoint*> NotDone(const ops::Contract& op, std::vector<OpPoint*> points,
                              const OpOptions& options, const OpSession& session) {
  if (!options.resume) return points;
  DoneSeries done(options.json, session.environment, std::string(device::TimeModelVersion()));
  std::erase_if(points, [&](const OpPoint* point) {
    const SeriesKey key = ArraySeriesOf(op, *point, options.npu);
    const bool has = point->array.tile == "*" ? done.HasAllTiles(key) : done.Has(key);
    if (has) done.Skip();
    return has;
  });
  fmt::print("{}", done.Describe());
  return points;
}

}  // namespace

int RunOnArray(const ops::Contract& op, const golden::Store& store, OpOptions& options,
               const OpSession& session) {
  ArraySweep sweep(op, store, options, session);
  fmt::print("{}", ArrayModelLine(options.npu));
  std::vector<OpPoint*> points;
  for (OpPoint& point : options.points) {
    if (point.variant.backend != ops::Backend::kArray) continue;
    if (point.array.tile == kTuned) sweep.Resolve(point);
    points.push_back(&point);
  }
  const std::size_t count = points.size();
  if (options.tune) {
    TuneAll(std::move(points), options, sweep);
  } else {
    points = NotDone(op, std::move(points), options, session);
    SweepAll(points, sweep);
    fmt::print("{}{} points, {:.1f} s on this host\n", ArrayFooter(), points.size(),
               sweep.host_s());
  }
  if (options.dry_run) fmt::print("\n{} points, nothing was run\n", count);
  return sweep.wrong() ? kExitWrong : kExitOk;
}

}  // namespace xdna::bench
