// How many cycles a tile's VLIW core takes for what a counting build (AIE_HOST_COUNT=1) says that a
// kernel issues. Each cycle: two 256-bit loads, one store, one vector operation (MAC or ALU), one
// move (shuffle), scalar work. What is not in the counts (spills, scalar operations, stalls by DMA
// or locks) is not in the cycles.
//
// A kernel is a list of loops; each is entered some times and has operations around it, executed
// once an entry. LoopFromRuns() finds body and surroundings from two counted runs, so that the
// kernel's source needs no marks.
#ifndef KERNELS_AIE_SLOT_MODEL_SLOT_MODEL_H_
#define KERNELS_AIE_SLOT_MODEL_SLOT_MODEL_H_

#include <aie_api/aie.hpp>
#include <cstdint>
#include <span>

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
  std::uint64_t iterations = 1;    // of one entry; at least 1
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
