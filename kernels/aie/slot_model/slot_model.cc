#include "kernels/aie/slot_model/slot_model.h"

#include <aie_api/aie.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"

namespace xdna::kernels {
namespace {

using aie::host::combine;
using aie::host::issue_counts;
using aie::host::memory_banks;

// Sources: AM020 is AMD's AIE-ML manual; llvm-aie its open compiler's machine model; Jena "Hello
// XDNA!" (tnzr.org/xdna); SILICON the measurements of jdominick05/ryzen-ai-xdna1-quantization on a
// Ryzen 7 8700G (docs/SILICON.md, the audit against Jena, results/aie/*.log).
enum Id : std::size_t {
  kLoadPorts,
  kStorePorts,
  kVectorSlots,
  kMoveSlots,
  kScalarSlots,
  kConvertsPerAccess,
  kVectorRegisters,
  kLoadLatency,
  kMacLatencyBf16,
  kMacLatencyInteger,
  kMacChainBf16,
  kMacChainInteger,
  kBranchLatency,
  kBankPenalty,
  kCall,
  kPeanoSlack,
  kPeanoPairs,
};

constexpr std::array kConstants = std::to_array<Constant>({
    {"vector load", 2, "of 256 bits a cycle", "AM020 ch. 2", "high"},
    {"vector store", 1, "of 256 bits a cycle", "AM020 ch. 2", "high"},
    {"vector slot", 1, "MAC or ALU operation a cycle", "AM020 ch. 4; llvm-aie slots", "high"},
    {"move slot", 1, "shuffle or register move a cycle",
     "llvm-aie slots; SILICON audit A2 (disassembly)", "high"},
    {"scalar slot", 1, "operation or register crossing a cycle", "llvm-aie slots", "high"},
    {"conversion on the way", 2, "x 512 accumulator bits a load or store",
     "llvm-aie VLDA.UPS, VST.SRS (256 to 1024 bits)", "medium"},
    {"vector registers", 24, "of 256 bits", "AM020 ch. 4; llvm-aie", "high"},
    {"vector load latency", 7, "cycles", "Jena isa, citing llvm-aie AIE2Schedule.td", "high"},
    {"MAC latency, bf16", 6, "cycles", "Jena isa, citing llvm-aie AIE2Schedule.td", "high"},
    {"MAC latency, integer", 5, "cycles", "llvm-aie II_VMAC; SILICON audit B1", "high"},
    {"MAC to MAC on one accumulator, bf16", 4, "cycles", "SILICON audit B1 (measured)", "high"},
    {"MAC to MAC on one accumulator, integer", 2, "cycles", "SILICON audit B1 (measured)", "high"},
    {"branch", 6, "cycles, 5 delay slots", "Jena isa, citing llvm-aie AIE2Schedule.td", "high"},
    {"two loads of one bank", 1, "cycle", "SILICON bank_conflict_survey (measured)", "medium"},
    {"call and return", 13, "cycles", "SILICON audit C.2: empty kernel 19.3 less its 6 bundles",
     "medium"},
    {"peano: unused bundles", 1, "an iteration", "two disassembled loops: 9 and 32 bundles",
     "medium"},
    {"peano: paired loads", 1, "an iteration where none is needed",
     "two disassembled loops: 1 pair each", "medium"},
});

constexpr double Value(Id id) { return kConstants[id].value; }

// How well a code generator hides what a loop waits for.
struct Rules {
  const char* name;
  // Loads of the next iteration go where registers are free just in time; else the operands of two
  // iterations must fit the register file, or loads and MACs take turns.
  bool just_in_time;
  bool knows_banks;       // never pairs two loads of one bank
  bool overlaps_entries;  // loads and stores around the loop run beside the next entry's MACs
  bool exposes_mac;       // at the end of an entry, stores wait for the last MAC
  bool exposes_load;      // at its start, MACs wait for the first load
  bool exposes_branch;    // the outer loop's branch has empty delay slots
  double slack;           // bundles an iteration
  double needless_pairs;  // loads an iteration
};

const Rules& RulesOf(CodeGenerator generator) {
  static constexpr Rules kChess = {"chess", true, true, false, true, false, false, 0, 0};
  static constexpr Rules kAsm = {"asm", true, true, true, false, false, false, 0, 0};
  static constexpr Rules kPeano = {
      "peano", false, false, false, true, true, true, Value(kPeanoSlack), Value(kPeanoPairs)};
  switch (generator) {
    case CodeGenerator::kChess:
      return kChess;
    case CodeGenerator::kPeano:
      return kPeano;
    case CodeGenerator::kAsm:
      return kAsm;
  }
  return kChess;
}

// Operations by the slot that they take.
struct Slots {
  double loads = 0, stores = 0, vector = 0, move = 0, scalar = 0;
  std::array<double, memory_banks> bank_loads = {}, bank_accesses = {};

  double accesses() const { return loads + stores; }
};

// The average of `parts` parts of the counts.
Slots SlotsOf(const issue_counts& counts, double parts) {
  const auto part = [parts](std::uint64_t count) { return static_cast<double>(count) / parts; };
  Slots slots;
  slots.loads = part(counts.load_unplaced);
  slots.stores = part(counts.store_unplaced);
  for (unsigned b = 0; b < memory_banks; ++b) {
    slots.bank_loads[b] = part(counts.load[b]);
    slots.bank_accesses[b] = part(counts.load[b] + counts.store[b]);
    slots.loads += part(counts.load[b]);
    slots.stores += part(counts.store[b]);
  }
  slots.vector = part(counts.vmac + counts.valu);
  slots.scalar = part(counts.scalar);
  const double on_the_way = slots.accesses() * Value(kConvertsPerAccess);
  slots.move = part(counts.shuffle) + std::max(0.0, part(counts.convert) - on_the_way);
  return slots;
}

// Cycles that the slots need at least, each a cycle or more.
double Bound(const Slots& slots, bool knows_banks) {
  double bound = std::max({slots.vector / Value(kVectorSlots), slots.move / Value(kMoveSlots),
                           slots.loads / Value(kLoadPorts), slots.stores / Value(kStorePorts),
                           slots.scalar / Value(kScalarSlots)});
  if (knows_banks) {
    for (const double accesses : slots.bank_accesses) {
      bound = std::max(bound, accesses * Value(kBankPenalty));
    }
  }
  return std::ceil(bound);
}

double ChainBound(const LoopWork& loop) {
  if (loop.body.vmac == 0) return 1;
  return loop.chain * Value(loop.mac == MacType::kBf16 ? kMacChainBf16 : kMacChainInteger);
}

double MacLatency(const LoopWork& loop) {
  if (loop.body.vmac == 0) return 0;
  return Value(loop.mac == MacType::kBf16 ? kMacLatencyBf16 : kMacLatencyInteger);
}

// Outside loops: one memory access a cycle, since accumulators have one path (Jena's kernel page)
// and pairs of others may meet in one bank.
double StraightLine(const Slots& slots) {
  return std::max({slots.accesses(), slots.vector, slots.move, slots.scalar});
}

// Cycles of an entry whose surroundings run beside the loop: both must fit the slots.
double OverlappedEntry(const LoopWork& loop, const Slots& body, const Slots& around,
                       double interval) {
  Slots all = around;
  const double n = loop.iterations;
  all.loads += n * body.loads;
  all.stores += n * body.stores;
  all.vector += n * body.vector;
  all.move += n * body.move;
  all.scalar += n * body.scalar;
  return std::max(n * interval, Bound(all, false));
}

// The thread's core as it is now, again at the end.
struct CoreGuard {
  aie::host::core_state before = aie::host::core();
  CoreGuard() = default;
  CoreGuard(const CoreGuard&) = delete;
  CoreGuard& operator=(const CoreGuard&) = delete;
  ~CoreGuard() { aie::host::core() = before; }
};

}  // namespace

const char* CodeGeneratorName(CodeGenerator generator) { return RulesOf(generator).name; }

std::span<const Constant> Constants() { return kConstants; }

double CallCycles() { return Value(kCall); }

LoopWork LoopFromRuns(const issue_counts& counts, std::uint64_t iterations,
                      const issue_counts& fewer_counts, std::uint64_t fewer_iterations,
                      std::uint64_t entries) {
  if (fewer_iterations >= iterations || entries == 0) {
    Throw(ErrorCode::kInvalidArgument,
          "{} and {} iterations, {} entries: the first run needs more iterations, and an entry",
          iterations, fewer_iterations, entries);
  }
  const std::uint64_t more = iterations - fewer_iterations;
  LoopWork loop;
  loop.iterations = static_cast<double>(iterations);
  loop.entries = entries;
  loop.body = combine(counts, fewer_counts, [&](std::uint64_t a, std::uint64_t b) {
    if (a < b || (a - b) * iterations % more != 0) {
      Throw(ErrorCode::kInvalidArgument,
            "counts {} and {} of {} and {} iterations are not those of one loop", a, b, iterations,
            fewer_iterations);
    }
    return (a - b) * iterations / more;
  });
  loop.around = combine(counts, loop.body, [&](std::uint64_t all, std::uint64_t body) {
    if (all < body) {
      Throw(ErrorCode::kInvalidArgument,
            "the loop's {} iterations issue {} operations of {}: it is not the only one that grows",
            iterations, body, all);
    }
    return all - body;
  });
  return loop;
}

Interval IntervalOf(CodeGenerator generator, const LoopWork& loop) {
  const Rules& rules = RulesOf(generator);
  const Slots body = SlotsOf(loop.body, static_cast<double>(loop.entries) * loop.iterations);
  const double bound = std::max(Bound(body, rules.knows_banks), ChainBound(loop));
  Interval interval;
  const double two_iterations = 2 * body.loads;  // registers for their operands
  interval.pipelined = rules.just_in_time || two_iterations <= Value(kVectorRegisters);
  const double most_pairs = std::floor(body.loads / 2);
  double pairs = std::min(rules.needless_pairs, most_pairs);
  if (interval.pipelined) {
    pairs = std::clamp(body.loads - bound, pairs, most_pairs);
    interval.bundles = std::max(bound, rules.knows_banks ? 0 : body.loads - pairs);
  } else {
    interval.bundles = body.loads - pairs + body.stores + bound;
  }
  interval.bundles += rules.slack;
  if (!rules.knows_banks) {
    double in_one_bank = 0;
    for (const double loads : body.bank_loads) in_one_bank += std::floor(loads / 2);
    interval.stalls = std::min(pairs, in_one_bank) * Value(kBankPenalty);
  }
  return interval;
}

double Cycles(CodeGenerator generator, const LoopWork& loop) {
  const Rules& rules = RulesOf(generator);
  const double interval = IntervalOf(generator, loop).cycles();
  const Slots body = SlotsOf(loop.body, static_cast<double>(loop.entries) * loop.iterations);
  const Slots around = SlotsOf(loop.around, static_cast<double>(loop.entries));
  const auto entries = static_cast<double>(loop.entries);
  const double straight = StraightLine(around);
  if (rules.overlaps_entries) {
    // Nothing runs beside the first entry's start and the last one's end.
    return entries * OverlappedEntry(loop, body, around, interval) + straight;
  }
  const double waits = (rules.exposes_mac ? MacLatency(loop) : 0) +
                       (rules.exposes_load ? Value(kLoadLatency) : 0) +
                       (rules.exposes_branch ? Value(kBranchLatency) : 0);
  return entries * (loop.iterations * interval + straight + waits);
}

double Cycles(CodeGenerator generator, const CallWork& call) {
  double cycles = CallCycles() + StraightLine(SlotsOf(call.straight, 1));
  for (const LoopWork& loop : call.loops) cycles += Cycles(generator, loop);
  return cycles;
}

std::vector<LoopCounts> CountCall(const void* memory, const std::function<void()>& run) {
  const CoreGuard guard;
  aie::host::core_state& core = aie::host::core();
  const auto log = std::make_unique<aie::host::loop_log>();
  core = {};
  core.loops = log.get();
  core.memory = memory;
  run();
  const issue_counts rest = log->take(core.counts);
  if (log->full) {
    Throw(ErrorCode::kInternal, "a kernel of more than {} marked loops", aie::host::loop_log::most);
  }
  if (log->used == 0) {
    LoopCounts straight;
    straight.around = rest;
    return {straight};
  }
  LoopCounts& last = log->loops[log->last];
  last.around = last.around + rest;
  return {log->loops, log->loops + log->used};
}

CallWork WorkOf(std::span<const LoopCounts> loops, MacType mac) {
  CallWork call;
  for (const LoopCounts& counts : loops) {
    if (counts.id == nullptr || counts.nested || counts.entries == 0) {
      call.straight = call.straight + counts.around + counts.body;
      continue;
    }
    LoopWork& loop = call.loops.emplace_back();
    loop.body = counts.body;
    loop.around = counts.around;
    loop.entries = counts.entries;
    loop.iterations = static_cast<double>(counts.iterations) / static_cast<double>(counts.entries);
    loop.mac = mac;
  }
  return call;
}

}  // namespace xdna::kernels
