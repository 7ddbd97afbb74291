#include "base/thread_pool.h"

#include <chrono>
#include <cstdint>
#include <mutex>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace xdna {
namespace {

constexpr int kCountBits = 40;
constexpr std::uint64_t kCountMask = (std::uint64_t{1} << kCountBits) - 1;
constexpr std::uint32_t kGenerationMask = (1U << (64 - kCountBits)) - 1;

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

ThreadPool::ThreadPool(int threads) {
  for (int t = 1; t < threads; ++t) workers_.emplace_back([this, t] { WorkerLoop(t); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Run(std::int64_t count, void* self, Call call) {
  if (count <= 0) return;
  loop_ = {self, call, count, log_};
  error_ = nullptr;
  failed_ = false;
  unfinished_.store(count, std::memory_order_relaxed);
  const std::uint32_t generation =
      (generation_.load(std::memory_order_relaxed) + 1) & kGenerationMask;
  ticket_.store(
      (static_cast<std::uint64_t>(generation) << kCountBits) | static_cast<std::uint64_t>(count),
      std::memory_order_release);
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

void ThreadPool::Drain(std::uint32_t generation, int thread) {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while ((ticket >> kCountBits) == generation && (ticket & kCountMask) != 0) {
    if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel)) continue;
    // We hold an index, so loop_ stays as it is until we report it finished.
    const std::int64_t index = loop_.count - static_cast<std::int64_t>(ticket & kCountMask);
    if (!failed_.load(std::memory_order_relaxed)) {
      try {
        RunIndex(index, thread);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(error_mutex_);
        if (!failed_.exchange(true)) error_ = std::current_exception();
      }
    }
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_all();
    ticket = ticket_.load(std::memory_order_acquire);
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
