#include "bench/op_array.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "base/thread_pool.h"
#include "bench/array_time.h"
#include "bench/run_record.h"
#include "device/measure.h"
#include "device/sim/timing.h"

namespace xdna::bench {
namespace {

constexpr double kProgressSeconds = 0.5;

struct Row {
  OpPoint* point = nullptr;
  ArrayTime time;
  std::string bound;
  bool timed = false;    // else the point's verdict says why not
  bool checked = false;  // else only its time is known
};

double Rows(const OpPoint& point) {
  const auto m = point.dims.find("m");
  return static_cast<double>(m != point.dims.end() ? m->second : point.dims.at("u"));
}

std::string Heading(const ops::Contract& op, const OpPoint& point) {
  return fmt::format("{}/{}/{}/{}", op.name, point.shape,
                     ops::PrecisionName(point.variant.precision), ops::BackendName(point.variant));
}

std::string TableHeader() {
  return fmt::format(
      "  {:<7} {:<11} {:<13} {:>4} {:>6} {:<12} {:>10} {:>9} {:>9}  {:<8} {:>8} {:>7} {:>6} | "
      "{:>8} {:>8} {:>8} {:>8} {:>8} {:>8} | {:>6}\n",
      "batch", "reuse", "tile", "cols", "runs", "verdict", "ms", "us/row", "saved ms", "bound by",
      "GOP/s", "of peak", "GB/s", "submit", "buffers", "sync", "context", "firmware", "array",
      "host s");
}

std::string Verdict(const Row& row) {
  if (!row.checked) return "-";
  const golden::Verdict& verdict = row.point->verdict;
  if (!verdict.passed()) return golden::StatusName(verdict.status);
  return fmt::format("passed {:.0f} %", verdict.headroom_percent());
}

std::string Choice(const OpPoint& point) {
  const ArrayChoice& a = point.array;
  return fmt::format("  {:<7} {:<11} {:<13} {:>4}", a.batch == 0 ? "all" : std::to_string(a.batch),
                     a.reuse, a.tile.empty() ? "best" : a.tile, a.columns);
}

std::string TableRow(const ops::Contract& op, const Row& row, const OpOptions& options,
                     std::optional<double> saved_us) {
  const OpPoint& point = *row.point;
  std::string text = Choice(point);
  if (!row.timed) {
    return text + fmt::format(" {:>6} {:<12} {}\n", "-", golden::StatusName(point.verdict.status),
                              point.verdict.reason);
  }
  const ArrayTime& t = row.time;
  const double flops = op.flops(point.dims) / t.us * 1e6;
  const ArrayPeak peak = ArrayPeakOf(options.npu.preset, point.variant.precision);
  text += fmt::format(
      " {:>6} {:<12} {:>10.4f} {:>9.3f} {:>9}  {:<8} {:>8.1f} {:>7} {:>6.2f} | {:>8.3f} {:>8.3f} "
      "{:>8.3f} {:>8.3f} {:>8.3f} {:>8.3f} | {:>6.2f}\n",
      t.totals.runs, Verdict(row), t.us / 1e3, t.us / Rows(point),
      saved_us ? fmt::format("{:.3f}", *saved_us / 1e3) : "", row.bound, flops * 1e-9,
      fmt::format("{:.1f} %", 100 * flops / peak.flops), t.bytes_per_s() * 1e-9,
      t.split.submit / 1e3, t.split.buffers / 1e3, t.split.sync / 1e3, t.context_us() / 1e3,
      t.split.firmware / 1e3, t.split.array / 1e3, t.host_s);
  if (row.checked && !point.verdict.passed()) {
    text += fmt::format("    {}\n", golden::Describe(point.verdict));
    if (!point.repro.empty()) text += fmt::format("    repro: {}\n", point.repro);
  }
  return text;
}

std::string ModelLine(const device::DeviceOptions& npu) {
  const device::Preset& preset = device::FindPreset(npu.preset);
  const double bf16 = ArrayPeakOf(npu.preset, ops::Precision::kBf16).flops;
  const double int8 = ArrayPeakOf(npu.preset, ops::Precision::kInt8).flops;
  return fmt::format(
      "MODELLED times of a simulated NPU: {} ({}, {:.1f} GHz), host profile {}, codegen {}, time "
      "model {}\npeak bf16 {:.2f} TFLOP/s, int8 {:.2f} TOP/s, host memory {:.1f} GB/s; nothing "
      "was measured on hardware\n",
      preset.name, preset.device, preset.array.clock_hz * 1e-9, npu.host, npu.codegen,
      device::TimeModelVersion(), bf16 * 1e-12, int8 * 1e-12,
      ArrayPeakOf(npu.preset, ops::Precision::kBf16).bytes * 1e-9);
}

RunRecord RecordOf(const ops::Contract& op, const Row& row, const OpOptions& options,
                   const OpSession& session) {
  const OpPoint& point = *row.point;
  const ArrayPeak peak = ArrayPeakOf(options.npu.preset, point.variant.precision);
  SeriesKey key;
  key.op = op.name;
  key.shape = point.shape;
  key.dtype = ops::PrecisionName(point.variant.precision);
  key.device = ops::DeviceName(point.variant.device());
  key.preset = options.npu.preset;
  key.schedule = fmt::format("{},{},{},{}col", ops::BackendName(point.variant), options.npu.host,
                             options.npu.codegen, point.array.columns);
  key.tile = point.array.tile.empty() ? "best" : point.array.tile;
  key.reuse = point.array.reuse;
  key.batch = point.array.batch == 0 ? "all" : std::to_string(point.array.batch);
  RunRecord record(key, Provenance::kModelled, RecordedVerdict(point.verdict, point.tolerance));
  record.environment = session.environment;
  record.hashes = {{"golden", session.golden_sha256}};
  record.seed = session.seed;
  record.model = TimeModel{std::string(device::TimeModelVersion()),
                           options.npu.preset,
                           options.npu.host,
                           options.npu.codegen,
                           {},
                           {{"bound", row.bound}}};
  record.SetMetric("flops", op.flops(point.dims));
  record.SetMetric("bytes", op.bytes(point.dims, point.variant.precision));
  record.SetMetric("peak_flops", peak.flops);
  record.SetMetric("peak_bandwidth", peak.bytes);
  if (!row.timed || !point.verdict.passed()) return record;
  const device::TimeSplit& s = row.time.split;
  std::map<std::string, double> times = {{"total", row.time.us * 1e-6}};
  for (const auto& [name, us] : {std::pair<const char*, double>{"submit", s.submit},
                                 {"buffers", s.buffers},
                                 {"sync", s.sync},
                                 {"context", row.time.context_us()},
                                 {"firmware", s.firmware},
                                 {"array", s.array}}) {
    if (us > 0) times[name] = us * 1e-6;
  }
  record.SetTimes(times, {row.time.us * 1e-6});
  record.SetMetric("flops_per_s", op.flops(point.dims) / row.time.us * 1e6);
  record.SetMetric("percent_of_peak", 100 * op.flops(point.dims) / row.time.us * 1e6 / peak.flops);
  record.CheckFloor(op.flops(point.dims) / peak.flops / 1.05);
  return record;
}

// Says on a terminal, now and then, how far a long sweep is.
class Progress {
 public:
  explicit Progress(std::size_t all) : all_(all), on_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (shown_) fmt::print(stderr, "\r\033[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Next(const std::string& name) {
    ++done_;
    const auto now = std::chrono::steady_clock::now();
    if (!on_ || std::chrono::duration<double>(now - last_).count() < kProgressSeconds) return;
    last_ = now;
    shown_ = true;
    fmt::print(stderr, "\r\033[K{}/{} {}", done_, all_, name);
    std::fflush(stderr);
  }

 private:
  std::size_t all_, done_ = 0;
  bool on_, shown_ = false;
  std::chrono::steady_clock::time_point last_;
};

class ArraySweep {
 public:
  ArraySweep(const ops::Contract& op, const golden::Store& store, const OpOptions& options,
             const OpSession& session)
      : op_(op),
        options_(options),
        session_(session),
        pool_(options.threads),
        runner_(op, store, pool_, options.seed, isatty(STDERR_FILENO) != 0) {}

  // Points of one shape and variant, in their order, as far as their tiles are given.
  void Each(std::vector<OpPoint*> points) {
    fmt::print("\n{}\n{}", Heading(op_, *points.front()), TableHeader());
    Progress progress(points.size());
    const Row* before = nullptr;
    std::vector<Row> rows;
    rows.reserve(points.size());
    for (OpPoint* point : points) {
      progress.Next(point->name);
      Row& row = rows.emplace_back(Time(*point));
      if (!options_.dry_run && row.timed) Check(row);
      std::optional<double> saved;
      if (before != nullptr && row.timed && before->point->array.batch == point->array.batch &&
          before->point->array.reuse != point->array.reuse) {
        saved = before->time.us - row.time.us;
      }
      Finish(row, saved);
      before = row.timed ? &row : nullptr;
    }
  }

  // Every tile of a point; the best is checked.
  void Tiles(const OpPoint& like) {
    const std::int64_t rows = static_cast<std::int64_t>(Rows(like));
    const std::int64_t batch = like.array.batch == 0 ? rows : std::min(rows, like.array.batch);
    std::vector<OpPoint> points;
    for (std::string& tile : op_.array_tiles(like.dims, like.variant, batch, like.array.columns)) {
      points.push_back(like);
      points.back().array.tile = std::move(tile);
    }
    fmt::print("\n{}: {} legal tiles, the fastest first\n{}", Heading(op_, like), points.size(),
               TableHeader());
    std::fflush(stdout);
    std::vector<Row> timed;
    {
      Progress progress(points.size());
      for (OpPoint& point : points) {
        progress.Next(point.array.tile);
        timed.push_back(Time(point));
      }
    }
    std::ranges::stable_sort(timed, {},
                             [](const Row& row) { return std::pair(!row.timed, row.time.us); });
    if (!options_.dry_run && !timed.empty() && timed.front().timed) Check(timed.front());
    for (const Row& row : timed) Finish(row, {});
  }

  bool wrong() const { return wrong_; }
  double host_s() const { return host_s_; }

 private:
  Row Time(OpPoint& point) {
    Row row;
    row.point = &point;
    if (!op_.Has(point.variant)) {
      point.verdict = golden::Verdict::Unsupported(
          fmt::format("{} has no {} on {}", op_.name, ops::PrecisionName(point.variant.precision),
                      ops::BackendName(point.variant)));
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

  void Check(Row& row) {
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

  void Finish(const Row& row, std::optional<double> saved) {
    fmt::print("{}", TableRow(op_, row, options_, saved));
    std::fflush(stdout);
    const bool unsupported = row.point->verdict.status == golden::Status::kUnsupported;
    const bool failed = row.checked && !row.point->verdict.passed() && !unsupported;
    wrong_ = wrong_ || failed;
    if (!options_.json.empty() && row.checked) {
      AppendRecord(options_.json, RecordOf(op_, row, options_, session_));
    }
  }

  const ops::Contract& op_;
  const OpOptions& options_;
  const OpSession& session_;
  ThreadPool pool_;
  OpRunner runner_;
  std::string shape_;
  TensorMap inputs_;
  bool wrong_ = false;
  double host_s_ = 0;
};

constexpr const char* kFooter =
    "\npassed N %: how much of the tolerance is left; -: timed, not checked. Times in ms, of one "
    "call of the op whose\noverlay was loaded before, without what the host converts and pads. "
    "saved ms: against the line above, of\nthe same batch. context: making it, loading its "
    "overlay, "
    "switching to it. GB/s: host memory that the array\nread and wrote, over the whole time.\n";

}  // namespace

int RunOnArray(const ops::Contract& op, const golden::Store& store, OpOptions& options,
               const OpSession& session) {
  ArraySweep sweep(op, store, options, session);
  fmt::print("{}", ModelLine(options.npu));
  std::vector<OpPoint*> group;
  const auto flush = [&] {
    if (!group.empty()) sweep.Each(std::exchange(group, {}));
  };
  std::size_t count = 0;
  for (OpPoint& point : options.points) {
    if (point.variant.backend != ops::Backend::kArray) continue;
    ++count;
    const bool same = group.empty() || (group.front()->shape == point.shape &&
                                        group.front()->variant == point.variant);
    if (!same || point.array.tile == "*") flush();
    if (point.array.tile == "*") {
      sweep.Tiles(point);
    } else {
      group.push_back(&point);
    }
  }
  flush();
  fmt::print("{}{} points, {:.1f} s on this host\n", kFooter, count, sweep.host_s());
  if (options.dry_run) fmt::print("\n{} points, nothing was run\n", count);
  return sweep.wrong() ? kExitWrong : kExitOk;
}

}  // namespace xdna::bench
