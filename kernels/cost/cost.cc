#include "kernels/cost/cost.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace xdna::kernels {

// One function of each kernel's folder: XCosts().
#include "kernels/cost/registry_declarations.inc"

void* TileMemory::Bank(unsigned bank, std::int64_t offset, std::int64_t bytes) {
  if (bank >= aie::host::memory_banks || bytes < 0 || offset < 0 || offset % 32 != 0 ||
      offset + bytes > static_cast<std::int64_t>(aie::host::memory_bank_bytes)) {
    Throw(ErrorCode::kInternal, "{} bytes at {} of bank {}; a bank holds {}", bytes, offset, bank,
          aie::host::memory_bank_bytes);
  }
  return bytes_ + bank * aie::host::memory_bank_bytes + offset;
}

namespace {

using Values = std::vector<std::int64_t>;
using Loops = std::vector<LoopCounts>;

std::vector<KernelCost> AllCosts() {
  std::vector<KernelCost> all;
  const auto add = [&all](std::vector<KernelCost> of_kernel) {
    std::move(of_kernel.begin(), of_kernel.end(), std::back_inserter(all));
  };
#include "kernels/cost/registry_calls.inc"
  return all;
}

const KernelCost& Find(std::string_view function) {
  for (const KernelCost& kernel : KernelCosts()) {
    if (kernel.function == function) return kernel;
  }
  std::string names;
  for (const KernelCost& kernel : KernelCosts()) names += fmt::format(" {}", kernel.function);
  Throw(ErrorCode::kNotFound, "no kernel function \"{}\"; there are{}", function, names);
}

std::string Signature(const KernelCost& kernel) {
  std::string text = fmt::format("{}(", kernel.function);
  for (const Parameter& p : kernel.parameters) {
    text += fmt::format("{}{}", text.back() == '(' ? "" : ", ", p.name);
  }
  return text + ")";
}

void Check(const KernelCost& kernel, std::span<const std::int64_t> arguments) {
  if (arguments.size() != kernel.parameters.size()) {
    Throw(ErrorCode::kInvalidArgument, "{} has {} parameters, not {}", Signature(kernel),
          kernel.parameters.size(), arguments.size());
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Parameter& p = kernel.parameters[i];
    if (arguments[i] < p.least || arguments[i] % p.unit != 0 ||
        arguments[i] > std::numeric_limits<std::int32_t>::max()) {
      Throw(ErrorCode::kInvalidArgument, "{}: {} is {}; want a multiple of {}, {} or more",
            Signature(kernel), p.name, arguments[i], p.unit, p.least);
    }
  }
}

Loops Count(const KernelCost& kernel, const Values& arguments) {
  const auto memory = std::make_unique<TileMemory>();
  return CountCall(memory->bytes(), [&] { kernel.call(Arguments(arguments), *memory); });
}

// sum += factor * counts, loop by loop. Counts of a difference may pass below zero on the way:
// unsigned arithmetic wraps back.
void AddScaled(Loops& sum, const Loops& counts, std::uint64_t factor) {
  const auto scaled = [factor](std::uint64_t a, std::uint64_t b) { return a + factor * b; };
  for (const LoopCounts& from : counts) {
    const auto same = [&from](const LoopCounts& to) { return to.id == from.id; };
    auto to = std::find_if(sum.begin(), sum.end(), same);
    if (to == sum.end()) {
      to = sum.emplace(sum.end());
      to->id = from.id;
    }
    to->body = combine(to->body, from.body, scaled);
    to->around = combine(to->around, from.around, scaled);
    to->iterations += factor * from.iterations;
    to->entries += factor * from.entries;
    to->nested = to->nested || from.nested;
  }
}

std::vector<Axis> AxesOf(const KernelCost& kernel) {
  std::vector<Axis> axes = kernel.axes;
  for (std::size_t i = 0; i < kernel.parameters.size(); ++i) {
    const std::int64_t period = kernel.parameters[i].period;
    if (period == 0) continue;
    Values by(kernel.parameters.size());
    by[i] = period;
    axes.push_back({by, [i, period](const Arguments& a) { return a[i] / period; }});
  }
  return axes;
}

// Remembers counts of small calls and cycles of all.
class Memory {
 public:
  static Memory& Get() {
    static Memory memory;
    return memory;
  }

  // Counts of a call: evenly from the corners one step and two steps along each axis.
  Loops CountsOf(const KernelCost& kernel, Values arguments) {
    const std::vector<Axis> axes = AxesOf(kernel);
    std::vector<std::pair<const Values*, std::uint64_t>> beyond;  // axis, steps after the first
    const Values asked = arguments;
    for (const Axis& axis : axes) {
      const std::int64_t steps = axis.count(Arguments(asked));
      if (steps <= 2) continue;
      for (std::size_t i = 0; i < arguments.size(); ++i) arguments[i] -= (steps - 1) * axis.by[i];
      beyond.emplace_back(&axis.by, static_cast<std::uint64_t>(steps - 1));
    }
    Loops sum;
    for (unsigned corner = 0; corner < 1U << beyond.size(); ++corner) {
      Values at = arguments;
      std::uint64_t factor = 1;
      for (std::size_t a = 0; a < beyond.size(); ++a) {
        const auto& [by, steps] = beyond[a];
        const bool far = (corner >> a & 1U) != 0;
        factor *= far ? steps : 1 - steps;
        for (std::size_t i = 0; far && i < at.size(); ++i) at[i] += (*by)[i];
      }
      AddScaled(sum, SmallCounts(kernel, at), factor);
    }
    return sum;
  }

  double CyclesOf(const KernelCost& kernel, std::span<const std::int64_t> arguments,
                  CodeGenerator generator) {
    const Key key(&kernel, Values(arguments.begin(), arguments.end()));
    const auto which = static_cast<std::size_t>(generator);
    {
      const std::shared_lock lock(mutex_);
      const auto found = cycles_.find(key);
      if (found != cycles_.end()) return found->second[which];
    }
    Check(kernel, arguments);
    const CallWork work = WorkOf(CountsOf(kernel, key.second), kernel.mac);
    std::array<double, 3> cycles = {};
    for (const auto g : {CodeGenerator::kChess, CodeGenerator::kPeano, CodeGenerator::kAsm}) {
      cycles[static_cast<std::size_t>(g)] = Cycles(g, work);
    }
    const std::unique_lock lock(mutex_);
    return cycles_.emplace(key, cycles).first->second[which];
  }

 private:
  using Key = std::pair<const KernelCost*, Values>;

  Loops SmallCounts(const KernelCost& kernel, const Values& arguments) {
    const Key key(&kernel, arguments);
    {
      const std::shared_lock lock(mutex_);
      const auto found = small_.find(key);
      if (found != small_.end()) return found->second;
    }
    Loops loops = Count(kernel, arguments);
    const std::unique_lock lock(mutex_);
    return small_.emplace(key, std::move(loops)).first->second;
  }

  std::shared_mutex mutex_;
  std::map<Key, Loops> small_;
  std::map<Key, std::array<double, 3>> cycles_;
};

double Operations(const aie::host::issue_counts& c, double parts) {
  const std::uint64_t all = c.vmac + c.valu + c.shuffle + c.convert + c.scalar;
  return static_cast<double>(all) / parts;
}

}  // namespace

std::span<const KernelCost> KernelCosts() {
  static const std::vector<KernelCost> all = AllCosts();
  return all;
}

CallWork CoreWork(std::string_view function, std::span<const std::int64_t> arguments) {
  const KernelCost& kernel = Find(function);
  Check(kernel, arguments);
  const Values values(arguments.begin(), arguments.end());
  return WorkOf(Memory::Get().CountsOf(kernel, values), kernel.mac);
}

CallWork CountedCoreWork(std::string_view function, std::span<const std::int64_t> arguments) {
  const KernelCost& kernel = Find(function);
  Check(kernel, arguments);
  return WorkOf(Count(kernel, Values(arguments.begin(), arguments.end())), kernel.mac);
}

double CoreCycles(std::string_view function, std::span<const std::int64_t> arguments,
                  CodeGenerator generator) {
  return Memory::Get().CyclesOf(Find(function), arguments, generator);
}

double CoreCycles(std::string_view function, std::initializer_list<std::int64_t> arguments,
                  CodeGenerator generator) {
  return CoreCycles(function, std::span(arguments.begin(), arguments.size()), generator);
}

std::size_t ProgramBytes(std::string_view function, std::span<const std::int64_t> arguments) {
  constexpr double kBundle = 16, kFixed = 64;
  const CallWork work = CoreWork(function, arguments);
  double operations = kFixed + Operations(work.straight, 1);
  for (const LoopWork& loop : work.loops) {
    const auto entries = static_cast<double>(loop.entries);
    operations +=
        Operations(loop.body, entries * loop.iterations) + Operations(loop.around, entries);
  }
  return static_cast<std::size_t>(kBundle * operations);
}

}  // namespace xdna::kernels
