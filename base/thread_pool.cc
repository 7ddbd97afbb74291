#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace xdna {
namespace {

constexpr int kIndexBits = 20;
constexpr std::int64_t kMostIndices = (std::int64_t{1} << kIndexBits) - 1;
constexpr std::uint32_t kGenerationMask = (1U << (64 - 2 * kIndexBits)) - 1;

std::uint64_t Pack(std::uint32_t generation, std::int64_t begin, std::int64_t end) {
  return static_cast<std::uint64_t>(generation) << 2 * kIndexBits |
         static_cast<std::uint64_t>(begin) << kIndexBits | static_cast<std::uint64_t>(end);
}

// The index that is first (or, from the end, last) of `share`, taken from it; -1 where nothing of
// that generation is left.
std::int64_t TakeFrom(std::atomic<std::uint64_t>& share, std::uint32_t generation, bool from_end) {
  std::uint64_t left = share.load(std::memory_order_acquire);
  while (left >> 2 * kIndexBits == generation) {
    const auto begin = static_cast<std::int64_t>(left >> kIndexBits & kMostIndices);
    const auto end = static_cast<std::int64_t>(left & kMostIndices);
    if (begin == end) return -1;
    const std::uint64_t rest =
        from_end ? Pack(generation, begin, end - 1) : Pack(generation, begin + 1, end);
    if (share.compare_exchange_weak(left, rest, std::memory_order_acq_rel)) {
      return from_end ? end - 1 : begin;
    }
  }
  return -1;
}

// Longer than the gap between two loops of an encoder layer (a few microseconds),
// much shorter than a scheduler's time slice.
constexpr std::chrono::microseconds kSpin{50};

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// Spins until `ready`, for at most kSpin; says whether it came true.
template <typename Ready>
bool SpinUntil(Ready ready) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      Pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

ThreadPool::ThreadPool(int threads) : shares_(std::make_unique<Share[]>(threads)) {
  for (int t = 1; t < threads; ++t) workers_.emplace_back([this, t] { WorkerLoop(t); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Run(std::int64_t count, void* self, Call call) {
  for (std::int64_t first = 0; first < count; first += kMostIndices) {
    RunSome(first, std::min(kMostIndices, count - first), self, call);
  }
}

void ThreadPool::RunSome(std::int64_t first, std::int64_t count, void* self, Call call) {
  loop_ = {self, call, first, log_};
  error_ = nullptr;
  failed_ = false;
  unfinished_.store(count, std::memory_order_relaxed);
  const std::uint32_t generation =
      (generation_.load(std::memory_order_relaxed) + 1) & kGenerationMask;
  const auto share_begin = [&](int t) { return (count * t + threads() - 1) / threads(); };
  for (int t = 0; t < threads(); ++t) {
    shares_[t].left.store(Pack(generation, share_begin(t), share_begin(t + 1)),
                          std::memory_order_release);
  }
  generation_.store(generation, std::memory_order_release);
  if (count > 1) generation_.notify_all();
  Drain(generation, 0);
  const auto finished = [this] { return unfinished_.load(std::memory_order_acquire) == 0; };
  if (!SpinUntil(finished)) {
    while (const std::int64_t left = unfinished_.load(std::memory_order_acquire))
      unfinished_.wait(left);
  }
  if (failed_) std::rethrow_exception(error_);
}

std::int64_t ThreadPool::Take(std::uint32_t generation, int thread) {
  std::int64_t index = TakeFrom(shares_[thread].left, generation, false);
  for (int t = thread + 1; index < 0 && t < thread + threads(); ++t) {
    index = TakeFrom(shares_[t % threads()].left, generation, true);
  }
  return index;
}

void ThreadPool::Drain(std::uint32_t generation, int thread) {
  for (std::int64_t index = Take(generation, thread); index >= 0;
       index = Take(generation, thread)) {
    // We hold an index, so loop_ stays as it is until we report it finished.
    if (!failed_.load(std::memory_order_relaxed)) {
      try {
        RunIndex(loop_.first + index, thread);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(error_mutex_);
        if (!failed_.exchange(true)) error_ = std::current_exception();
      }
    }
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_all();
  }
}

void ThreadPool::RunIndex(std::int64_t index, int thread) {
  if (loop_.log == nullptr) return loop_.call(loop_.self, index, thread);
  const WorkLog::Clock::time_point begin = WorkLog::Clock::now();
  loop_.call(loop_.self, index, thread);
  loop_.log->Add(thread, {begin, WorkLog::Clock::now()});
}

void ThreadPool::WorkerLoop(int thread) {
  std::uint32_t seen = 0;
  while (true) {
    const auto changed = [&] { return generation_.load(std::memory_order_acquire) != seen; };
    if (!SpinUntil(changed)) generation_.wait(seen, std::memory_order_acquire);
    if (stop_) return;
    seen = generation_.load(std::memory_order_acquire);
    Drain(seen, thread);
  }
}

}  // namespace xdna
