#include "tools/npu_model/gemm_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "device/sim/kernel_table.h"
#include "device/sim/sim_array.h"
#include "device/sim/timing.h"
#include "kernels/aie/slot_model/reference_loops.h"
#include "kernels/aie/slot_model/slot_model.h"
#include "kernels/array/gemm.h"
#include "kernels/npu/kernels.h"

namespace xdna::model {
namespace {

using device::ArrayResult;
using device::ArrayTiming;
using device::Instruction;
using kernels::GemmConfig;
using kernels::GemmProblem;
using kernels::GemmType;

constexpr double kCores = 16;
constexpr double kMacsBf16 = 128, kMacsInt8 = 256;  // a core and cycle: AM020 ch. 4
// Calls of kernels that a run simulates; more rows of tiles than that repeat the last one.
constexpr std::size_t kMostCalls = 300'000;

// --- int8 with C in int8 or int16 from step to step: no kernel here does that, so its time alone

double NarrowIntCycles(std::string_view codegen, std::span<const std::int32_t> numbers,
                       kernels::MatmulTypes types) {
  using Key = std::tuple<std::string, int, int, int, kernels::MatmulTypes>;
  static std::mutex mutex;
  static std::map<Key, double> known;
  const Key key(codegen, numbers[0], numbers[1], numbers[2], types);
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(key); found != known.end()) return found->second;
  const auto generator =
      codegen == "peano" ? kernels::CodeGenerator::kPeano : kernels::CodeGenerator::kChess;
  const auto size = [&](std::size_t i) { return static_cast<unsigned>(numbers[i]); };
  const auto loop = kernels::CountMatmul({types, size(0), size(1), size(2), 4, 2});
  const double cycles = kernels::Cycles(generator, loop) + kernels::CallCycles();
  return known.emplace(key, cycles).first->second;
}

void RegisterTimeOnly(const char* name, kernels::MatmulTypes types) {
  device::RegisterKernel(
      {name, 3, 4,
       [name](device::CoreState&, std::span<void* const>, std::span<const std::int32_t>) {
         Throw(ErrorCode::kUnsupported, "{} has a time and no body", name);
       },
       [types](std::string_view codegen, std::span<const std::int32_t> numbers, std::uint32_t) {
         return NarrowIntCycles(codegen, numbers, types);
       }});
}

void RegisterKernels() {
  static const bool once = [] {
    kernels::RegisterNpuKernels();
    RegisterTimeOnly("matmul_reload_int8", kernels::MatmulTypes::kInt8Int8);
    RegisterTimeOnly("matmul_reload_int16", kernels::MatmulTypes::kInt8Int16);
    return true;
  }();
  static_cast<void>(once);
}

// --- the query -----------------------------------------------------------------------------------

template <typename T>
T OneOf(std::string_view what, const std::string& name,
        const std::vector<std::pair<std::string, T>>& choices) {
  std::string names;
  for (const auto& [choice, value] : choices) {
    if (choice == name) return value;
    names += (names.empty() ? "" : ", ") + choice;
  }
  Throw(ErrorCode::kInvalidArgument, "no {} \"{}\"; there are {}", what, name, names);
}

GemmConfig ConfigOf(const GemmQuery& q) {
  GemmConfig c;
  c.m = q.tile_m;
  c.k = q.tile_k;
  c.n = q.tile_n;
  c.k_mem = q.k_mem;
  c.columns = q.columns;
  c.in =
      OneOf<GemmType>("input type", q.in, {{"bf16", GemmType::kBf16}, {"int8", GemmType::kInt8}});
  c.out_bytes = c.in == GemmType::kBf16
                    ? OneOf<std::size_t>("output type of bf16", q.out, {{"bf16", 2}, {"f32", 4}})
                    : OneOf<std::size_t>("output type of int8", q.out,
                                         {{"int8", 1}, {"int16", 2}, {"int32", 4}});
  c.packed_b = OneOf<bool>("layout of B", q.b_layout,
                           {{"rows", false}, {"columns", false}, {"packed", true}});
  OneOf<int>("code generator", q.codegen, {{"chess", 0}, {"peano", 1}});
  return c;
}

// The choices of `auto`, in the order of preference.
std::vector<GemmConfig> Candidates(const GemmQuery& q) {
  const int wide =
      OneOf<int>("accumulation", q.accumulate, {{"auto", 2}, {"wide", 1}, {"output", 0}});
  const int twice =
      OneOf<int>("buffers of C", q.buffers, {{"auto", 2}, {"double", 1}, {"single", 0}});
  const GemmConfig config = ConfigOf(q);
  std::vector<GemmConfig> all;
  for (const int reload : {0, 1}) {
    for (const int doubled : {1, 0}) {
      if (wide == reload || (twice != 2 && twice != doubled)) continue;
      if (reload == 1 && config.out_bytes == 4) continue;  // the wide type is the output's
      GemmConfig one = config;
      one.reload = reload == 1;
      one.double_buffer_c = doubled == 1;
      all.push_back(one);
    }
  }
  if (all.empty()) all.push_back(config);
  return all;
}

std::vector<std::string> AssumptionsOf(const GemmQuery& q, const GemmConfig& c,
                                       const GemmProblem& padded) {
  std::vector<std::string> all;
  const char* wide = c.in == GemmType::kBf16 ? "f32" : "int32";
  if (c.out_bytes == 4) {
    all.push_back(fmt::format("C accumulates in its output buffer, {}", wide));
  } else if (c.reload) {
    all.push_back(
        fmt::format("C accumulates in its output buffer, {}: rounded in every step of k", q.out));
    if (c.in == GemmType::kInt8) {
      all.emplace_back("the time of mm.cc's loop with such a C; no kernel here has one");
    }
  } else {
    all.push_back(fmt::format("C accumulates apart in {} and is narrowed at the end", wide));
  }
  all.push_back(fmt::format("{} buffer{} of C on a core", c.double_buffer_c ? "two" : "one",
                            c.double_buffer_c ? "s" : ""));
  if (padded.m != q.m || padded.k != q.k || padded.n != q.n) {
    all.push_back(fmt::format("padded to {}x{}x{}; the rate counts {}x{}x{}", padded.m, padded.k,
                              padded.n, q.m, q.k, q.n));
  }
  if (q.b_layout == "columns") {
    all.emplace_back("B column-major: its runs' times; cores would have to transpose it");
  }
  all.push_back(fmt::format("one dispatch on its own from {}", q.host));
  return all;
}

// --- runs of the engine --------------------------------------------------------------------------

// A column-major B has runs of k_mem instead of n. Only runs count here, not where they lie.
void MakeBColumnMajor(const GemmConfig& c, const GemmProblem& padded,
                      std::vector<Instruction>& stream) {
  for (Instruction& instruction : stream) {
    auto* write = std::get_if<device::WriteDescriptor>(&instruction);
    if (write == nullptr || write->argument != 1) continue;
    const std::size_t k_mem = write->pattern.dims.at(1).count;
    write->pattern.dims = {{padded.k / k_mem, k_mem}, {c.n, padded.k}, {k_mem, 1}};
  }
}

void RemoveCalls(std::vector<device::Statement>& body) {
  std::erase_if(
      body, [](const device::Statement& s) { return s.kind == device::Statement::Kind::kCall; });
  for (device::Statement& s : body) RemoveCalls(s.body);
}

struct Runner {
  GemmQuery query;
  GemmConfig config;
  device::Overlay overlay = {};
  ArrayTiming timing = {};

  ArrayResult Rows(std::size_t m) const {
    const GemmProblem problem{m, query.k, query.n};
    std::vector<Instruction> stream = kernels::GemmInstructions(config, problem);
    if (query.b_layout == "columns") {
      MakeBColumnMajor(config, kernels::Padded(config, problem), stream);
    }
    device::SimArray array(overlay, timing, {.codegen = query.codegen, .functional = false});
    ArrayResult result = array.Run(stream, {});
    if (!result.completed) Throw(ErrorCode::kInternal, "gemm: {}", result.reason);
    return result;
  }
};

// The whole problem; if `simulated` is less than its rows, by the growth from half of them to all.
ArrayResult Run(const Runner& runner, std::size_t simulated) {
  ArrayResult all = runner.Rows(simulated);
  if (simulated >= runner.query.m) return all;
  const std::size_t block = runner.config.m * device::kCoreRows;
  const std::size_t half = simulated / block / 2 * block;
  const ArrayResult fewer = runner.Rows(half);
  const std::size_t blocks = (runner.query.m + block - 1) / block;
  const double more =
      static_cast<double>(blocks * block - simulated) / static_cast<double>(simulated - half);
  const auto grow = [more](double& value, double before) { value += more * (value - before); };
  grow(all.cycles, fewer.cycles);
  for (std::size_t i = 0; i < all.lanes.size(); ++i) {
    grow(all.lanes[i].busy, fewer.lanes[i].busy);
    grow(all.lanes[i].wait_input, fewer.lanes[i].wait_input);
    grow(all.lanes[i].wait_output, fewer.lanes[i].wait_output);
    grow(all.lanes[i].idle, fewer.lanes[i].idle);
  }
  return all;
}

// Rows of the problem that are simulated: all, or whole blocks of tiles.
std::size_t SimulatedRows(const GemmQuery& q, const GemmConfig& c) {
  const GemmProblem padded = kernels::Padded(c, {q.m, q.k, q.n});
  const std::size_t block = c.m * device::kCoreRows;
  const std::size_t calls = device::kCoreRows * (padded.n / c.n) * (padded.k / c.k);  // of a block
  const std::size_t blocks = std::max<std::size_t>(2, kMostCalls / calls / 2 * 2);
  return blocks * block >= padded.m ? q.m : blocks * block;
}

// Cores that are busy for most of the time are the bound. Else it is what, costing nothing, would
// shorten the time most, by the first rows of tiles.
std::string BoundOf(const Runner& runner, const Prediction& p) {
  constexpr double kMostlyBusy = 0.8;
  constexpr double kFree = 1e9;
  const auto part = [&p](std::string_view name) {
    for (const auto& [part_name, us] : p.breakdown_us) {
      if (part_name == name) return us / p.time_us;
    }
    return 0.0;
  };
  if (part("compute") >= kMostlyBusy) return "compute";
  const std::size_t rows = std::min(runner.query.m, 2 * device::kCoreRows * runner.config.m);
  const double all = runner.Rows(rows).cycles;
  std::vector<std::pair<const char*, double>> without = {{"dispatch", 1 - part("dispatch")}};
  const auto measure = [&](const char* name, const Runner& changed) {
    const double left = changed.Rows(rows).cycles / all;
    without.emplace_back(name, part("dispatch") + (1 - part("dispatch")) * left);
  };
  Runner r = runner;
  for (device::Program& program : r.overlay.programs) RemoveCalls(program.body);
  measure("compute", r);
  r = runner;
  r.timing.ddr_read_bytes_per_cycle = r.timing.ddr_write_bytes_per_cycle = kFree;
  r.timing.ddr_run_overhead_bytes = 0;
  measure("ddr", r);
  r = runner;
  r.timing.shim_read_words_per_cycle = r.timing.shim_write_words_per_cycle = kFree;
  r.timing.stream_words_per_cycle = kFree;
  r.timing.descriptor_start = r.timing.switch_hop = r.timing.lock_latency = 0;
  measure("dma", r);
  r = runner;
  r.timing.write32 = r.timing.block_write = 0;
  r.timing.task_push_idle_read = r.timing.task_push_idle_write = r.timing.task_push_busy = 0;
  r.timing.shim_task_start_read = r.timing.shim_task_start_write = 0;
  measure("issue", r);
  return std::min_element(without.begin(), without.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

// Of an average core, and the dispatch around it.
std::vector<std::pair<std::string, double>> Breakdown(const ArrayResult& result,
                                                      double us_per_cycle, double dispatch_us) {
  double busy = 0, input = 0, output = 0, idle = 0, cores = 0;
  for (const device::LaneTotals& lane : result.lanes) {
    if (!lane.name.starts_with("core")) continue;
    ++cores;
    busy += lane.busy;
    input += lane.wait_input;
    output += lane.wait_output;
    idle += lane.idle;
  }
  const double us = us_per_cycle / cores;
  return {{"dispatch", dispatch_us},
          {"compute", busy * us},
          {"wait_input", input * us},
          {"wait_output", output * us},
          {"start_and_end", idle * us}};
}

Prediction DoesNotFit(std::string reason) {
  Prediction p;
  p.fits = false;
  p.reason = std::move(reason);
  return p;
}

Prediction Predict(const GemmQuery& q, const GemmConfig& config) {
  const device::Preset& preset = device::FindPreset(q.preset);
  const device::HostProfile& host = device::FindHostProfile(q.host);
  const GemmProblem padded = kernels::Padded(config, {q.m, q.k, q.n});
  const Runner runner{q, config, kernels::GemmOverlay(config), preset.array};
  const std::size_t simulated = SimulatedRows(q, config);
  const ArrayResult result = Run(runner, simulated);

  Prediction p;
  const double us_per_cycle = 1e6 / preset.array.clock_hz;
  const double dispatch_us = host.submit_us + preset.dispatch.firmware_single_us;
  p.cycles = result.cycles;
  p.time_us = dispatch_us + result.cycles * us_per_cycle;
  const double operations =
      2 * static_cast<double>(q.m) * static_cast<double>(q.k) * static_cast<double>(q.n);
  const bool bf16 = config.in == GemmType::kBf16;
  p.floating = bf16;
  p.tops = operations / p.time_us / 1e6;
  const double peak = 2 * kCores * (bf16 ? kMacsBf16 : kMacsInt8) * preset.array.clock_hz / 1e12;
  p.percent_of_peak = 100 * *p.tops / peak;
  p.breakdown_us = Breakdown(result, us_per_cycle, dispatch_us);
  if (q.find_bound) p.bound = BoundOf(runner, p);
  p.assumptions = AssumptionsOf(q, config, padded);
  if (simulated < q.m) {
    p.assumptions.push_back(fmt::format("{} of {} rows simulated, the others like the last {}",
                                        simulated, q.m, simulated / 2));
  }
  return p;
}

}  // namespace

Prediction PredictGemm(const GemmQuery& query) {
  RegisterKernels();
  if (query.m == 0 || query.k == 0 || query.n == 0) {
    Throw(ErrorCode::kInvalidArgument, "gemm: {}x{}x{}; want sizes of 1 or more", query.m, query.k,
          query.n);
  }
  device::Fit fit;
  for (const GemmConfig& config : Candidates(query)) {
    fit = kernels::GemmFits(config);
    if (!fit) continue;
    try {
      return Predict(query, config);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupported) throw;
      return DoesNotFit(error.message());
    }
  }
  return DoesNotFit(fit.reason);
}

}  // namespace xdna::model
