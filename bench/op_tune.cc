#include "bench/op_tune.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/sha256.h"
#include "bench/array_time.h"
#include "bench/environment.h"
#include "bench/progress.h"
#include "device/sim/timing.h"
#include "ops/internal/npu_array.h"

namespace xdna::bench {
namespace {

OpPoint At(const OpPoint& point, const TuneChoice& choice) {
  OpPoint at = point;
  at.array.tile = choice.tile;
  at.array.columns = choice.columns;
  return at;
}

class OpEvaluator : public TuneEvaluator {
 public:
  OpEvaluator(const ops::Contract& op, const golden::Store& store, const OpPoint& point,
              const TuneOptions& options, ThreadPool& pool, std::size_t simulations)
      : op_(op),
        point_(point),
        options_(options),
        pool_(pool),
        inputs_(ops::RandomInputs(op, point.dims, options.seed)),
        runner_(op, store, pool, options.seed, isatty(STDERR_FILENO) != 0),
        progress_(simulations) {}

  Time Simulate(const TuneChoice& choice) override {
    progress_.Next(choice.tile);
    const ArrayTime time = TimeOnArray(op_, At(point_, choice), inputs_, options_.npu, pool_);
    return {time.us, BoundOf(time, options_.npu.preset)};
  }

  RecordedVerdict Check(const TuneChoice& choice) override {
    device::DeviceOptions functional = options_.npu;
    functional.threads = options_.threads;
    device::ConfigureDevice(functional);
    OpPoint at = At(point_, choice);
    ops::ArrayDevice array(ArrayOptionsOf(at, true));
    runner_.Check(at, &array);
    return {at.verdict, at.tolerance};
  }

 private:
  const ops::Contract& op_;
  const OpPoint& point_;
  const TuneOptions& options_;
  ThreadPool& pool_;
  const TensorMap inputs_;
  OpRunner runner_;
  Progress progress_;
};

std::string BatchName(const OpPoint& point) {
  return point.array.batch == 0 ? "all" : std::to_string(point.array.batch);
}

}  // namespace

TuneKey TuneKeyOf(const ops::Contract& op, const OpPoint& point,
                  const std::vector<std::size_t>& columns, const TuneOptions& options) {
  // This very program: it holds the kernels, their designs and the simulator.
  static const std::string program = Sha256OfFile("/proc/self/exe");
  return {{"op", std::string(op.name)},
          {"shape", point.shape},
          {"precision", ops::PrecisionName(point.variant.precision)},
          {"backend", ops::BackendName(point.variant)},
          {"batch", BatchName(point)},
          {"reuse", point.array.reuse},
          {"columns", fmt::format("{}", fmt::join(columns, ","))},
          {"preset", options.npu.preset},
          {"host", options.npu.host},
          {"codegen", options.npu.codegen},
          {"seed", std::to_string(options.seed)},
          {"simulated", std::to_string(options.simulate)},
          {"model", std::string(device::TimeModelVersion())},
          {"program", program}};
}

TuneSpace TuneSpaceOf(const ops::Contract& op, const OpPoint& point,
                      const std::vector<std::size_t>& columns) {
  TuneSpace space;
  for (const std::size_t count : columns) {
    const ops::ArrayTiles tiles = op.array_tiles(point.dims, point.variant, BatchOf(point), count);
    for (const ops::ArrayTile& tile : tiles.legal) {
      space.legal.push_back({{tile.name, count}, tile.cycles, std::string(tile.bound)});
    }
    for (const auto& [why, shapes] : tiles.refused) space.refused[why] += shapes;
  }
  return space;
}

TunedOp TuneOp(const ops::Contract& op, const golden::Store& store, const OpPoint& point,
               const std::vector<std::size_t>& columns, const TuneOptions& options,
               ThreadPool& pool) {
  const auto begin = std::chrono::steady_clock::now();
  const TuneCache cache(options.cache);
  const TuneKey key = TuneKeyOf(op, point, columns, options);
  TunedOp tuned;
  std::string warning;
  if (!options.again) {
    if (auto found = cache.Find(key, warning)) {
      tuned.result = std::move(found->result);
      tuned.date = std::move(found->date);
      tuned.cached = true;
      return tuned;
    }
    if (!warning.empty()) tuned.warnings += "warning: " + std::exchange(warning, "") + "\n";
  }
  const TuneSpace space = TuneSpaceOf(op, point, columns);
  OpEvaluator evaluator(op, store, point, options, pool, RankTiles(space, options.simulate).size());
  tuned.result = SearchTiles(space, evaluator, options.simulate);
  tuned.date = CurrentEnvironment(options.threads).date;
  cache.Keep(key, tuned.result, tuned.date, warning);
  if (!warning.empty()) tuned.warnings += "warning: " + warning + "\n";
  tuned.host_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return tuned;
}

std::string TuneHeading(const ops::Contract& op, const OpPoint& point, const TunedOp& tuned) {
  const std::string from = tuned.cached ? fmt::format("from the cache, found {}", tuned.date)
                                        : fmt::format("searched in {:.1f} s", tuned.host_s);
  return fmt::format("{}/{}/{}/{}, batch {}, {}: {}\n", op.name, point.shape,
                     ops::PrecisionName(point.variant.precision), ops::BackendName(point.variant),
                     BatchName(point), point.array.reuse, from);
}

}  // namespace xdna::bench
