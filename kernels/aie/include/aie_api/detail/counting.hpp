// What a counting build (AIE_HOST_COUNT=1) notes about the loops of a kernel: each loop's own
// operations, and those before and after it, so that a slot model can tell them apart.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_COUNTING_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_COUNTING_HPP_

#include <cstdint>

#include "aie_api/detail/core.hpp"

namespace aie::host {

// A loop marked by chess_prepare_for_pipelining, in one instantiation of its function.
struct loop_counts {
  const void* id = nullptr;
  issue_counts body;    // of all iterations
  issue_counts around;  // before the entries, and after the last
  std::uint64_t iterations = 0;
  std::uint64_t entries = 0;
  bool nested = false;  // holds another marked loop, so that its body isn't all of an iteration
};

// Point core().loops at one and set core().counts to zero; after the kernel, `counts - seen` is
// what it issued after its last loop. Iterations with nothing between them are of one entry, unless
// an iteration of a loop marked by chess_loop_range began in between.
struct loop_log {
  static constexpr unsigned most = 64;

  loop_counts loops[most];
  unsigned used = 0;
  bool full = false;      // the kernel has more loops: what is here is not all of it
  issue_counts seen;      // of core().counts, what loops were given
  unsigned last = most;   // the loop that ran last; `most`: none
  bool adjacent = false;  // nothing happened since

  // The loop's place; the last one when full.
  unsigned place(const void* id) {
    for (unsigned i = 0; i < used; ++i) {
      if (loops[i].id == id) return i;
    }
    full = used == most;
    if (full) return most - 1;
    loops[used].id = id;
    return used++;
  }
  // What was issued since the last call.
  issue_counts take(const issue_counts& counts) {
    const issue_counts since = counts - seen;
    seen = counts;
    return since;
  }
};

}  // namespace aie::host

namespace aie {
inline namespace AIE_HOST_VARIANT {
namespace detail {

// One address for each type of lambda, and so for each place in each instantiation.
template <typename Lambda>
const void* LoopId(Lambda) {
  static char id = 0;
  return &id;
}

// Lives as long as one iteration of a marked loop.
class LoopIteration {
 public:
  explicit LoopIteration(const void* id) : log_(host::core().loops) {
    if (log_ != nullptr) Begin(*log_, id);
    ++host::core().counts.branch;
  }
  LoopIteration(const LoopIteration&) = delete;
  LoopIteration& operator=(const LoopIteration&) = delete;
  ~LoopIteration() {
    if (log_ != nullptr) End(*log_);
  }

 private:
  void Begin(host::loop_log& log, const void* id) {
    const host::issue_counts before = log.take(host::core().counts);
    at_ = log.place(id);
    host::loop_counts& loop = log.loops[at_];
    const bool goes_on = log.adjacent && log.last == at_ && before == host::issue_counts{};
    loop.entries += goes_on ? 0 : 1;
    ++loop.iterations;
    loop.around = loop.around + before;
    log.last = at_;
    log.adjacent = false;
  }
  void End(host::loop_log& log) {
    const host::issue_counts issued = log.take(host::core().counts);
    if (log.last == at_) {
      log.loops[at_].body = log.loops[at_].body + issued;
    } else {
      log.loops[at_].nested = true;
      log.loops[log.last].around = log.loops[log.last].around + issued;
      log.last = at_;
    }
    log.adjacent = true;
  }

  host::loop_log* log_;
  unsigned at_ = 0;
};

// The same of a loop around others: ends the entries of those.
class OuterIteration {
 public:
  OuterIteration() {
    ++host::core().counts.branch;
    if (host::core().loops != nullptr) host::core().loops->adjacent = false;
  }
};

}  // namespace detail
}  // namespace AIE_HOST_VARIANT
}  // namespace aie

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_COUNTING_HPP_
