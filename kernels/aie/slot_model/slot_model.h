// How many cycles a tile's VLIW core takes for what a counting build (AIE_HOST_COUNT=1) says that a
// kernel issues. Each cycle: two 256-bit loads, one store, one vector operation (MAC or ALU), one
// move (shuffle), one scalar operation. What is not in the counts (spills, plain scalar C++, waits
// of one operation for another outside loops, stalls by DMA or locks) is not in the cycles.
//
// A kernel is a list of loops; each is entered some times and has operations around it, executed
// once an entry. CountCall() takes them from the loops that a kernel marks; LoopFromRuns() finds
// body and surroundings of an unmarked loop from two counted runs.
#ifndef KERNELS_AIE_SLOT_MODEL_SLOT_MODEL_H_
#define KERNELS_AIE_SLOT_MODEL_SLOT_MODEL_H_

#include <aie_api/aie.hpp>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace xdna::kernels {

// Who schedules the operations: AMD's xchesscc, the open llvm-aie, or a person.
enum class CodeGenerator { kChess, kPeano, kAsm };

// "chess", "peano", "asm".
const char* CodeGeneratorName(CodeGenerator generator);

enum class MacType { kBf16, kInteger };

// Counts are totals: the places of accesses, and so their banks, may differ from entry to entry.
struct LoopWork {
  aie::host::issue_counts body;    // all iterations of all entries
  aie::host::issue_counts around;  // before and after the loop, all entries
  double iterations = 1;           // of one entry, on average; at least 1
  std::uint64_t entries = 1;       // at least 1
  MacType mac = MacType::kBf16;
  unsigned chain = 1;  // MACs of one iteration that add to the same accumulator, one by one
};

// What two runs of a kernel that differ only in the iterations of its inner loop tell about it:
// all counts of a run that enters the loop `entries` times with `iterations` iterations each, and
// of one with `fewer_iterations`. Throws kInvalidArgument where the counts are not those of such a
// loop: fewer iterations issue more, or the difference is not one of whole iterations.
LoopWork LoopFromRuns(const aie::host::issue_counts& counts, std::uint64_t iterations,
                      const aie::host::issue_counts& fewer_counts, std::uint64_t fewer_iterations,
                      std::uint64_t entries);

// All that a call of a kernel issues.
struct CallWork {
  std::vector<LoopWork> loops;
  aie::host::issue_counts straight;  // of a call without loops
};

// One loop of a call as it was counted.
using LoopCounts = aie::host::loop_counts;

// The loops of a counted call, in the order in which they first ran, and in `id` nullptr what a
// call without loops issued. Operations between two loops are of the second one; those after the
// last are its own. Loops that hold others are nothing but what is around these.
// `run` must call a kernel of a counting build. The calling thread's core is left as it was,
// whatever `run` does to it; `memory` is where the tile's 64 KiB are meanwhile, or null. Throws
// kInternal where a kernel has more loops than a log takes.
std::vector<LoopCounts> CountCall(const void* memory, const std::function<void()>& run);
CallWork WorkOf(std::span<const LoopCounts> loops, MacType mac);

// One iteration of a software-pipelined loop.
struct Interval {
  double bundles = 0;      // instructions, as a disassembly shows them
  double stalls = 0;       // cycles lost to pairs of loads from one bank
  bool pipelined = false;  // loads run ahead of the MACs that need them

  double cycles() const { return bundles + stalls; }
};
Interval IntervalOf(CodeGenerator generator, const LoopWork& loop);

// All entries of a loop with what is around it; without the call of the kernel.
double Cycles(CodeGenerator generator, const LoopWork& loop);
// All loops of a call one after another, and the call.
double Cycles(CodeGenerator generator, const CallWork& call);
// Calling a kernel and returning from it.
double CallCycles();

// Everything that the model was told, for tables.
struct Constant {
  const char* name;
  double value;
  const char* unit;
  const char* source;
  const char* confidence;  // "high": vendor's manual or toolchain; "medium": one careful source
};
std::span<const Constant> Constants();

}  // namespace xdna::kernels

#endif  // KERNELS_AIE_SLOT_MODEL_SLOT_MODEL_H_
