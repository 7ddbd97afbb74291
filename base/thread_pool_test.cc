#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <vector>

namespace xdna {
namespace {

TEST(ThreadPool, CallsEachIndexOnce) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (std::int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> calls(count);
      pool.ParallelFor(count, [&](std::int64_t i, int thread) {
        EXPECT_GE(thread, 0);
        EXPECT_LT(thread, threads);
        ++calls[i];
      });
      for (const auto& c : calls) EXPECT_EQ(c, 1);
    }
  }
}

TEST(ThreadPool, ManyShortLoopsNeitherLoseNorMixWork) {
  ThreadPool pool(4);
  for (int loop = 0; loop < 20000; ++loop) {
    std::atomic<std::int64_t> sum{0};
    const std::int64_t count = 1 + loop % 9;
    pool.ParallelFor(count, [&](std::int64_t i, int) { sum += i + 1; });
    ASSERT_EQ(sum, count * (count + 1) / 2) << loop;
  }
}

// More than a share can count.
TEST(ThreadPool, CallsAMillionIndices) {
  constexpr std::int64_t kCount = (1 << 20) + 7;
  ThreadPool pool(3);
  std::atomic<std::int64_t> sum{0};
  pool.ParallelFor(kCount, [&](std::int64_t i, int) { sum += i; });
  EXPECT_EQ(sum, kCount * (kCount - 1) / 2);
}

// What a thread wrote in one loop it finds in its cache in the next.
TEST(ThreadPool, SharesStayWithTheirThreads) {
  ThreadPool pool(2);
  std::array<std::atomic<int>, 2> firsts{-1, -1};
  std::atomic<int> arrived{0};
  pool.ParallelFor(8, [&](std::int64_t i, int thread) {
    int none = -1;
    firsts[thread].compare_exchange_strong(none, static_cast<int>(i));
    ++arrived;
    while (arrived < 2) std::this_thread::yield();  // so that both take part
  });
  EXPECT_EQ(firsts[0], 0);
  EXPECT_EQ(firsts[1], 4);
}

TEST(ThreadPool, WakesAfterSleep) {
  ThreadPool pool(3);
  for (int loop = 0; loop < 5; ++loop) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> calls{0};
    pool.ParallelFor(50, [&](std::int64_t, int) { ++calls; });
    EXPECT_EQ(calls, 50);
  }
}

TEST(ThreadPool, AnExceptionReachesTheCallerAndThePoolLivesOn) {
  ThreadPool pool(2);
  std::atomic<int> calls{0};
  const auto body = [&](std::int64_t i, int) {
    ++calls;
    if (i == 3) throw std::runtime_error("three");
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  };
  EXPECT_THROW(pool.ParallelFor(5000, body), std::runtime_error);
  EXPECT_LT(calls, 5000);
  calls = 0;
  pool.ParallelFor(10, [&](std::int64_t, int) { ++calls; });
  EXPECT_EQ(calls, 10);
}

// A thread that is held up costs the piece that it holds, not an equal share.
TEST(ThreadPool, ASlowThreadGetsLessWork) {
  ThreadPool pool(2);
  std::atomic<int> fast{0};
  std::atomic<int> slow{0};
  pool.ParallelFor(200, [&](std::int64_t, int thread) {
    ++(thread == 0 ? fast : slow);
    std::this_thread::sleep_for(std::chrono::microseconds(thread == 0 ? 50 : 5000));
  });
  EXPECT_EQ(fast + slow, 200);
  EXPECT_LT(slow, 60);
}

TEST(ThreadPool, ALogHasEachPieceOfItsLoops) {
  ThreadPool pool(3);
  WorkLog log(3);
  const auto nap = [](std::int64_t, int) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  };
  pool.ParallelFor(5, nap);
  const auto begin = WorkLog::Clock::now();
  pool.LogTo(&log);
  pool.ParallelFor(50, nap);
  const auto end = WorkLog::Clock::now();
  pool.LogTo(nullptr);
  pool.ParallelFor(5, nap);
  std::size_t pieces = 0;
  for (int thread = 0; thread < 3; ++thread) {
    auto before = begin;
    for (const WorkLog::Piece& piece : log.Of(thread)) {
      EXPECT_GE(piece.begin, before);
      EXPECT_GE(piece.end - piece.begin, std::chrono::microseconds(100));
      before = piece.end;
    }
    EXPECT_LE(before, end);
    pieces += log.Of(thread).size();
  }
  EXPECT_EQ(pieces, 50U);
}

}  // namespace
}  // namespace xdna
