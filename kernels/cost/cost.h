// How many cycles a call of a kernel takes: the counting build of its source runs small sizes,
// whose counts grow evenly up to the ones asked for, and the slot model turns them into cycles.
// Nothing is known of the kernels beyond their source.
//
// Operands are taken to lie in memory banks of their own, as far as there are banks, and tables
// where they meet nothing.
#ifndef KERNELS_COST_COST_H_
#define KERNELS_COST_COST_H_

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "kernels/aie/slot_model/slot_model.h"
#include "kernels/cost/kernel_cost.h"

namespace xdna::kernels {

// Cycles of one call of the kernel `function` ("layer_norm_bf16"), by KernelCosts()'s parameters
// ({rows, width}), the call itself included. Any thread; each call is counted once and then
// remembered. Throws kNotFound for a function that there is none of, and kInvalidArgument for
// another number of arguments or values that the kernel does not take.
double CoreCycles(std::string_view function, std::span<const std::int64_t> arguments,
                  CodeGenerator generator);
double CoreCycles(std::string_view function, std::initializer_list<std::int64_t> arguments,
                  CodeGenerator generator);

// The work behind it. Errors as above.
CallWork CoreWork(std::string_view function, std::span<const std::int64_t> arguments);
// Counted at these very sizes, which must be small (a bank an operand), without remembering.
CallWork CountedCoreWork(std::string_view function, std::span<const std::int64_t> arguments);

// An estimate of a kernel's program: 16 bytes, a bundle, for each operation of the loops and around
// them as compiled once, and for 64 more of the calls and prologues.
std::size_t ProgramBytes(std::string_view function, std::span<const std::int64_t> arguments);

// All functions of all kernels of kernels/registry.bzl.
std::span<const KernelCost> KernelCosts();

}  // namespace xdna::kernels

#endif  // KERNELS_COST_COST_H_
