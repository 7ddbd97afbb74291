#include "bench/schedule_tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/encoder_points.h"
#include "bench/encoder_proof.h"
#include "bench/environment.h"
#include "bench/progress.h"
#include "bench/tune_cache.h"
#include "device/measure.h"
#include "encoder/mixed_encoder.h"
#include "encoder/npu_encoder.h"
#include "encoder/npu_options.h"
#include "ops/registry.h"

namespace xdna::bench {
namespace {

using encoder::Schedule;

constexpr std::size_t kColumns = 4;

const ops::Variant kArray{ops::Precision::kBf16, ops::Backend::kArray};

// Cycles of a layer's four products by tile; none of those that one of them can't have.
std::map<std::string, double> ProductCycles(const encoder::EncoderShape& shape,
                                            std::map<std::string, std::int64_t>& refused) {
  const std::int64_t m = shape.positions, d = shape.d, f = shape.ffn();
  const std::pair<std::int64_t, std::int64_t> products[] = {{d, 3 * d}, {d, d}, {d, f}, {f, d}};
  std::map<std::string, double> cycles;
  std::map<std::string, std::size_t> found;
  for (const auto& [k, n] : products) {
    ops::ArrayTiles tiles =
        ops::FindOp("linear").array_tiles({{"m", m}, {"k", k}, {"n", n}}, kArray, m, kColumns);
    if (refused.empty()) refused = std::move(tiles.refused);
    for (const ops::ArrayTile& tile : tiles.legal) {
      cycles[tile.name] += tile.cycles;
      ++found[tile.name];
    }
  }
  std::erase_if(cycles, [&](const auto& tile) { return found[tile.first] < std::size(products); });
  return cycles;
}

// Cycles of the attention by "queries x keys", its projections at their best.
std::map<std::string, double> HeadCycles(const encoder::EncoderShape& shape) {
  std::map<std::string, double> cycles;
  const ops::ArrayTiles tiles =
      ops::FindOp("attention")
          .array_tiles({{"m", shape.positions}, {"d", shape.d}, {"heads", shape.heads}}, kArray,
                       shape.positions, kColumns);
  for (const ops::ArrayTile& tile : tiles.legal) {
    cycles.try_emplace(tile.name.substr(tile.name.find('+') + 1), tile.cycles);
  }
  return cycles;
}

// Whether the encoder takes this tile as it is, and not the largest that divides its width.
bool Divides(const encoder::EncoderShape& shape, const std::string& tile) {
  Schedule s;
  if (!SetTile(s, tile)) return false;
  return shape.d % s.tile_k == 0 && shape.d % (s.tile_n * static_cast<std::int64_t>(kColumns)) == 0;
}

// A window by either executor, without data.
class ScheduleEvaluator : public TuneEvaluator {
 public:
  ScheduleEvaluator(const EncoderJob& job, const Schedule& schedule, const NpuRunOptions& npu,
                    std::size_t simulations)
      : job_(job), schedule_(schedule), npu_(npu), progress_(simulations) {}

  Time Simulate(const TuneChoice& choice) override {
    progress_.Next(choice.tile);
    const Schedule s = WithTile(schedule_, choice.tile);
    const encoder::CpuProfile cpu = encoder::FindCpuProfile(npu_.cpu);
    device::DeviceOptions device;
    device.preset = npu_.preset;
    device.host = npu_.host;
    device.codegen = npu_.codegen;
    device.functional = false;
    device::ConfigureDevice(device);
    const TensorView mel = job_.Window(0);
    if (s.WholeOnNpu()) {
      encoder::NpuEncoder encoder(job_.chosen.model, job_.shape,
                                  encoder::NpuOptionsOf(s, job_.shape, cpu));
      return Second(
          encoder, mel, [&] { return encoder.last_ms(); }, [&] { return encoder.last_split(); });
    }
    encoder::MixedEncoder encoder(job_.chosen.model, job_.shape, s, cpu, false);
    return Second(
        encoder, mel, [&] { return encoder.last().total; }, [&] { return encoder.last_split(); });
  }

  RecordedVerdict Check(const TuneChoice& choice) override {
    NpuRunOptions npu = npu_;
    npu.trace.clear();
    const NpuResult result = RunSchedule(job_, WithTile(schedule_, choice.tile), npu);
    return {result.verdict, result.tolerance};
  }

 private:
  // The first window loads overlays; all others take what the second takes.
  template <typename Encoder, typename Ms, typename Split>
  static Time Second(Encoder& encoder, const TensorView& mel, const Ms& ms, const Split& split) {
    encoder.Encode(mel);
    encoder.Encode(mel);
    const device::TimeSplit s = split();
    const std::pair<double, const char*> parts[] = {
        {s.array, "the array"},
        {s.idle, "the CPU"},
        {s.submit + s.firmware + s.buffers + s.sync, "dispatch"},
        {s.context_create + s.load + s.context_switch, "switches"}};
    const auto* most = std::max_element(std::begin(parts), std::end(parts));
    return {1e3 * ms(), most->second};
  }

  const EncoderJob& job_;
  const Schedule& schedule_;
  const NpuRunOptions& npu_;
  Progress progress_;
};

TuneKey KeyOf(const EncoderJob& job, const Schedule& schedule, const NpuRunOptions& npu,
              const TuneOptions& options) {
  return {{"op", "encoder"},
          {"proof", ProofKey(job, schedule)},  // schedule, program, time model, model, speech
          {"preset", npu.preset},
          {"host", npu.host},
          {"codegen", npu.codegen},
          {"cpu_profile", npu.cpu},
          {"simulated", std::to_string(options.simulate)}};
}

}  // namespace

TuneSpace ScheduleTiles(const encoder::EncoderShape& shape, const Schedule& schedule) {
  TuneSpace space;
  std::map<std::string, double> heads = {{"", 0}};
  if (schedule.attention == encoder::AttentionForm::kFused) heads = HeadCycles(shape);
  std::string own = fmt::format("{}x{}x{}", schedule.tile_m, schedule.tile_k, schedule.tile_n);
  if (heads.size() > 1) own += fmt::format("+{}x{}", schedule.queries, schedule.keys);
  for (const auto& [tile, cycles] : ProductCycles(shape, space.refused)) {
    if (!Divides(shape, tile)) {
      ++space.refused["width not divided"];
      continue;
    }
    for (const auto& [head, of_heads] : heads) {
      const std::string name = head.empty() ? tile : fmt::format("{}+{}", tile, head);
      // The schedule's own is always among those that are simulated.
      const double rank = name == own ? 0 : cycles + of_heads;
      space.legal.push_back({{name, kColumns}, rank, "the array"});
    }
  }
  return space;
}

Schedule WithTile(Schedule schedule, const std::string& tile) {
  if (!SetTile(schedule, tile)) {
    Throw(ErrorCode::kInvalidArgument, "tile '{}': want M x K x N as 64x64x64, or 64x64x64+64x48",
          tile);
  }
  return schedule;
}

Schedule TuneSchedule(const EncoderJob& job, const Schedule& schedule, const NpuRunOptions& npu,
                      TuneOptions options) {
  const auto begin = std::chrono::steady_clock::now();
  options.simulate = kScheduleTilesSimulated;
  const TuneCache cache(options.cache);
  const TuneKey key = KeyOf(job, schedule, npu, options);
  std::string warning, from;
  TuneResult result;
  if (auto found = options.again ? std::nullopt : cache.Find(key, warning)) {
    result = std::move(found->result);
    from = fmt::format("from the cache, found {}", found->date);
  } else {
    if (!warning.empty()) fmt::print(stderr, "warning: {}\n", std::exchange(warning, ""));
    const TuneSpace space = ScheduleTiles(job.shape, schedule);
    ScheduleEvaluator evaluator(job, schedule, npu, RankTiles(space, options.simulate).size());
    result = SearchTiles(space, evaluator, options.simulate);
    cache.Keep(key, result, CurrentEnvironment(options.threads).date, warning);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    from = fmt::format("searched in {:.1f} s", spent.count());
  }
  if (!warning.empty()) fmt::print(stderr, "warning: {}\n", warning);
  fmt::print("{} on {}, tile of all its products: {}\n{}\n", schedule.name, job.shape.name, from,
             ExplainTune(result));
  std::fflush(stdout);
  return result.winner ? WithTile(schedule, result.best().choice.tile) : schedule;
}

}  // namespace xdna::bench
