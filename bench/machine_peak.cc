#include "bench/machine_peak.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/thread_pool.h"

namespace xdna::bench {
namespace {

constexpr double kBurst = 1e-3;      // seconds
constexpr double kLeast = 50e-3;     // of bursts for one figure
constexpr double kMost = 250e-3;     // where they do not agree
constexpr double kAgreement = 0.01;  // of the three best
constexpr std::size_t kSmallest = std::size_t{32} << 10;
constexpr std::size_t kLargest = std::size_t{512} << 20;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Lets all threads go at the same moment: a barrier of the kernel wakes them tens of
// microseconds apart.
class SpinBarrier {
 public:
  explicit SpinBarrier(int threads) : threads_(threads) {}

  void Wait() {
    const int turn = turn_.load();
    if (waiting_.fetch_add(1) + 1 == threads_) {
      waiting_.store(0);
      turn_.store(turn + 1);
      return;
    }
    for (int spins = 0; turn_.load(std::memory_order_acquire) == turn; ++spins) {
      if (spins > 20000) sched_yield();
    }
  }

 private:
  const int threads_;
  std::atomic<int> waiting_{0};
  std::atomic<int> turn_{0};
};

// The CPUs that this process may use, those that share a core with an earlier one last.
std::vector<int> CpusByCore(const cpu_set_t& allowed) {
  std::vector<int> cores;
  std::vector<int> siblings;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream list(
        fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu));
    int first = cpu;
    list >> first;  // "0-1" or "0,32"
    (first == cpu || !CPU_ISSET(first, &allowed) ? cores : siblings).push_back(cpu);
  }
  cores.insert(cores.end(), siblings.begin(), siblings.end());
  return cores;
}

// Keeps the calling thread on one CPU: beside a busy neighbour the kernel would leave two
// threads on the other one.
class Pinned {
 public:
  explicit Pinned(std::int64_t index) {
    CPU_ZERO(&before_);
    if (sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    const std::vector<int> cpus = CpusByCore(before_);
    if (cpus.empty()) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpus[index % cpus.size()], &one);
    pinned_ = sched_setaffinity(0, sizeof one, &one) == 0;
  }
  ~Pinned() {
    if (pinned_) sched_setaffinity(0, sizeof before_, &before_);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  cpu_set_t before_;
  bool pinned_ = false;
};

bool Agree(std::vector<double>& spans) {
  if (spans.size() < 3) return false;
  std::partial_sort(spans.begin(), spans.begin() + 3, spans.end());
  return spans[2] <= spans[0] * (1 + kAgreement);
}

// Runs prepare(index) once and then body(index), over and over, each index on a
// thread of its own and all at once; the shortest time from the first thread's begin
// to the last one's end.
template <typename Prepare, typename Body>
double ShortestBurst(ThreadPool& pool, const Prepare& prepare, const Body& body) {
  const int threads = pool.threads();
  SpinBarrier barrier(threads);
  std::vector<double> begins(threads), ends(threads), spans;
  std::atomic<bool> done{false};
  // Each index waits for all others, so each thread gets one.
  pool.ParallelFor(threads, [&](std::int64_t index, int) {
    const Pinned pinned(index);
    prepare(index);
    const double start = Now();
    while (!done) {
      barrier.Wait();
      begins[index] = Now();
      body(index);
      ends[index] = Now();
      barrier.Wait();
      if (index == 0) {
        spans.push_back(*std::max_element(ends.begin(), ends.end()) -
                        *std::min_element(begins.begin(), begins.end()));
        const double elapsed = Now() - start;
        done = elapsed > kMost || (elapsed > kLeast && Agree(spans));
      }
      barrier.Wait();
    }
  });
  return *std::min_element(spans.begin(), spans.end());
}

// Units a second of all threads together, where run(iterations) does `work` units in each.
template <typename Run>
double RateOf(const Run& run, double work, ThreadPool& pool) {
  std::int64_t iterations = 64;
  for (;;) {
    const double begin = Now();
    run(iterations);
    const double took = Now() - begin;
    if (took > kBurst / 4) {
      iterations = std::max<std::int64_t>(1, static_cast<std::int64_t>(iterations * kBurst / took));
      break;
    }
    iterations *= 2;
  }
  const double span = ShortestBurst(
      pool, [](std::int64_t) {}, [&](std::int64_t) { run(iterations); });
  return work * static_cast<double>(iterations * pool.threads()) / span;
}

double RateOf(const PeakKernel& kernel, ThreadPool& pool) {
  return RateOf(kernel.run, kernel.flops, pool);
}

// Rows on the caller's stack, scores below each other's by an eighth, down to 2^-12.
double RateOf(const ExpKernel& kernel, ThreadPool& pool) {
  const auto run = [&kernel](std::int64_t iterations) {
    alignas(64) std::array<float, kExpRow> scores, out;
    for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = -static_cast<float>(i % 97);
    float sum = 0;
    for (std::int64_t i = 0; i < iterations; ++i) {
      sum += kernel.row(scores.data(), 0.125F, 0, out.data());
      asm volatile("" : "+x"(sum) : "r"(out.data()) : "memory");  // somebody wants them
    }
  };
  return RateOf(run, kExpRow, pool);
}

// Memory of its own, in huge pages where the kernel gives them: else the page walk is
// measured.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes) : bytes_(bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      Throw(ErrorCode::kUnavailable, "no {} MiB of memory to measure its bandwidth", bytes >> 20);
    }
    madvise(memory, bytes, MADV_HUGEPAGE);
    data_ = static_cast<std::byte*>(memory);
  }
  ~Buffer() { munmap(data_, bytes_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::byte* data() const { return data_; }

 private:
  std::byte* data_;
  std::size_t bytes_;
};

double BandwidthOf(std::size_t bytes, ThreadPool& pool) {
  const std::size_t share = std::max<std::size_t>(bytes / pool.threads() / 1024, 1) * 1024;
  const std::size_t total = share * pool.threads();
  const Buffer buffer(total);
  const auto passes = static_cast<std::int64_t>(1 + kBurst * 50e9 / static_cast<double>(share));
  const double span = ShortestBurst(
      pool,
      // Touched by the thread that will read it, for its NUMA node; and not with zeros.
      [&](std::int64_t index) { std::memset(buffer.data() + index * share, 1, share); },
      [&](std::int64_t index) { ReadMemory(buffer.data() + index * share, share, passes); });
  return static_cast<double>(total) * static_cast<double>(passes) / span;
}

// Well beyond the last cache.
std::size_t DramBytes() {
  const auto cache = static_cast<std::size_t>(std::max(0L, sysconf(_SC_LEVEL3_CACHE_SIZE)));
  return std::clamp(std::bit_ceil(4 * cache), kLargest / 2, 2 * kLargest);
}

int Usable(int threads) { return std::clamp(threads, 1, AvailableCpus()); }

void Better(const Peak& found, Peak& best) {
  if (found.flops > best.flops) best = found;
}

void MeasureCompute(ThreadPool& pool, MachinePeak& peak) {
  for (const PeakKernel& kernel : PeakKernels()) {
    const Peak found = {RateOf(kernel, pool), kernel.instruction};
    switch (kernel.precision) {
      case ops::Precision::kF32:
        Better(found, peak.f32);
        break;
      case ops::Precision::kBf16:
        Better(found, peak.bf16);
        break;
      case ops::Precision::kInt8:
      case ops::Precision::kMixed:
        Better(found, peak.int8);
        break;
    }
  }
  Better(peak.f32, peak.bf16);
  Better(peak.f32, peak.int8);
  for (const ExpKernel& kernel : ExpKernels()) {
    double& best = kernel.precision == ops::Precision::kF32 ? peak.exp_f32 : peak.exp_bf16;
    best = std::max(best, RateOf(kernel, pool));
  }
  peak.exp_bf16 = std::max(peak.exp_bf16, peak.exp_f32);
}

std::map<int, MachinePeak>& Measured() {
  static std::map<int, MachinePeak> measured;
  return measured;
}

}  // namespace

const Peak& MachinePeak::Of(ops::Precision precision) const {
  switch (precision) {
    case ops::Precision::kF32:
      return f32;
    case ops::Precision::kBf16:
      return bf16;
    case ops::Precision::kInt8:
    case ops::Precision::kMixed:
      return int8;
  }
  return f32;
}

double MachinePeak::ExpOf(ops::Precision precision) const {
  return precision == ops::Precision::kF32 ? exp_f32 : exp_bf16;
}

const MachinePeak& MeasurePeak(int threads) {
  const auto [it, added] = Measured().try_emplace(Usable(threads));
  MachinePeak& peak = it->second;
  if (added) {
    peak.threads = it->first;
    ThreadPool pool(peak.threads);
    MeasureCompute(pool, peak);
    peak.bandwidth = BandwidthOf(DramBytes(), pool);
  }
  return peak;
}

const MachinePeak& RaisePeak(int threads) {
  MeasurePeak(threads);
  MachinePeak& peak = Measured().at(Usable(threads));
  ThreadPool pool(peak.threads);
  MeasureCompute(pool, peak);
  return peak;
}

double ReadBandwidth(int threads, std::size_t bytes) {
  static std::map<std::pair<int, std::size_t>, double> measured;
  const std::size_t size = std::bit_floor(std::clamp(bytes, kSmallest, kLargest));
  const auto [it, added] = measured.try_emplace({Usable(threads), size}, 0);
  if (added) {
    ThreadPool pool(Usable(threads));
    it->second = BandwidthOf(size, pool);
  }
  return it->second;
}

double MeasureKernel(const PeakKernel& kernel, int threads) {
  ThreadPool pool(Usable(threads));
  return RateOf(kernel, pool);
}

double MeasureKernel(const ExpKernel& kernel, int threads) {
  ThreadPool pool(Usable(threads));
  return RateOf(kernel, pool);
}

}  // namespace xdna::bench
