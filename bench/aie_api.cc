// How fast this host computes products with the bits of an AIE2 tile: whole matrices and single
// aie::mmul tiles, by instruction set. Nothing is timed before all of it gave the same bits.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <aie_api/aie.hpp>
#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "base/cpu.h"
#include "base/program.h"
#include "base/thread_pool.h"
#include "bench/command_line.h"
#include "bench/machine_peak.h"
#include "kernels/aie/exact_matmul.h"

namespace xdna::bench {
namespace {

using kernels::MatmulShape;

constexpr std::size_t kBand = 128;      // rows of C in one piece of work
constexpr std::size_t kPlainRows = 16;  // of C, checked against the plain model
constexpr std::size_t kTiledSide = 64;  // rows and columns of C that aie::mmul computes
constexpr int kRepetitions = 5;         // the fastest counts
constexpr double kSecondsOfOne = 0.05;
constexpr double kSlow = 0.3;  // seconds of a run that is not repeated

void Mac(const MatmulShape& shape, const std::uint16_t* a, const std::uint16_t* b, float* c) {
  kernels::MacMatrixBf16(shape, a, b, c);
}
void Mac(const MatmulShape& shape, const std::int8_t* a, const std::int8_t* b, std::int32_t* c) {
  kernels::MacMatrixInt8(shape, a, b, c);
}

// Bits of bf16 numbers around 1 of both signs, or any int8.
void Fill(std::mt19937_64& random, std::vector<std::uint16_t>& values) {
  for (std::uint16_t& v : values) v = static_cast<std::uint16_t>(random() & 0x83FF) + 0x3D80;
}
void Fill(std::mt19937_64& random, std::vector<std::int8_t>& values) {
  for (std::int8_t& v : values) v = static_cast<std::int8_t>(random());
}

// One element of C by the plain model of a lane.
float Plain(const MatmulShape& s, const std::uint16_t* a, const std::uint16_t* b) {
  std::uint32_t sum = 0;
  for (std::size_t k = 0; k < s.k; k += 8) {
    std::uint16_t x[8] = {}, y[8] = {};
    for (std::size_t l = k; l < std::min(s.k, k + 8); ++l) {
      x[l - k] = a[l];
      y[l - k] = b[l * s.b_stride];
    }
    sum = aie::lane::MacBf16(sum, x, y, 8, false, {});
  }
  return std::bit_cast<float>(sum);
}
std::int32_t Plain(const MatmulShape& s, const std::int8_t* a, const std::int8_t* b) {
  std::uint32_t sum = 0;
  for (std::size_t k = 0; k < s.k; ++k) {
    sum += static_cast<std::uint32_t>(std::int32_t{a[k]} * b[k * s.b_stride]);
  }
  return static_cast<std::int32_t>(sum);
}

// A product, and a corner of it in the layout that aie::mmul<4, 8, N> works on.
template <typename In, typename Out, unsigned kN>
class Product {
  using Element = std::conditional_t<sizeof(In) == 2, bfloat16, int8>;
  using Tile = aie::mmul<4, 8, kN, Element>;

 public:
  // mmul of bf16 is vectorised for the set in use, that of integers is left to the compiler.
  static constexpr bool kTiledBySet = std::is_same_v<Element, bfloat16>;

  Product(std::size_t m, std::size_t k, std::size_t n)
      : shape_{.m = m, .k = k, .n = n, .a_stride = k, .b_stride = n, .c_stride = n},
        a_(m * k),
        b_(k * n),
        c_(m * n) {
    std::mt19937_64 random(1);
    Fill(random, a_);
    Fill(random, b_);
    Pack();
  }

  double macs() const { return 1.0 * shape_.m * shape_.k * shape_.n; }
  double tiled_macs() const {
    return 1.0 * Tile::M * Tile::K * kN * m_tiles_ * k_tiles_ * n_tiles_;
  }

  void Clear() { std::fill(c_.begin(), c_.end(), Out{0}); }

  void Whole(ThreadPool& pool) {
    const auto bands = static_cast<std::int64_t>((shape_.m + kBand - 1) / kBand);
    pool.ParallelFor(bands, [&](std::int64_t band, int) {
      const std::size_t row = static_cast<std::size_t>(band) * kBand;
      MatmulShape part = shape_;
      part.m = std::min(kBand, shape_.m - row);
      Mac(part, a_.data() + row * shape_.k, b_.data(), c_.data() + row * shape_.n);
    });
  }

  void Tiled() {
    for (std::size_t i = 0; i < m_tiles_; ++i) {
      for (std::size_t j = 0; j < n_tiles_; ++j) {
        Tile sum;
        for (std::size_t k = 0; k < k_tiles_; ++k) {
          sum.mac(a_tiles_[i * k_tiles_ + k], b_tiles_[k * n_tiles_ + j]);
        }
        c_tiles_[i * n_tiles_ + j] = sum.to_accum();
      }
    }
  }

  // Where C differs from what is right; nothing where it does not. The first C is compared with
  // the plain model in some rows and is what all others must be.
  std::optional<std::string> WrongWhole() {
    if (want_.empty()) {
      const std::size_t step = std::max<std::size_t>(1, shape_.m / kPlainRows);
      for (std::size_t i = (shape_.m - 1) % step; i < shape_.m; i += step) {
        for (std::size_t j = 0; j < shape_.n; ++j) {
          const Out plain = Plain(shape_, a_.data() + i * shape_.k, b_.data() + j);
          if (auto wrong = Wrong(i, j, c_[i * shape_.n + j], plain)) return wrong;
        }
      }
      want_ = c_;
    }
    for (std::size_t i = 0; i < c_.size(); ++i) {
      if (auto wrong = Wrong(i / shape_.n, i % shape_.n, c_[i], want_[i])) return wrong;
    }
    return std::nullopt;
  }

  // After WrongWhole().
  std::optional<std::string> WrongTiled() const {
    for (std::size_t i = 0; i < std::min(shape_.m, m_tiles_ * 4); ++i) {
      for (std::size_t j = 0; j < std::min(shape_.n, n_tiles_ * kN); ++j) {
        const auto& tile = c_tiles_[i / 4 * n_tiles_ + j / kN];
        const auto found = static_cast<Out>(tile[static_cast<unsigned>(i % 4 * kN + j % kN)]);
        if (auto wrong = Wrong(i, j, found, want_[i * shape_.n + j])) return wrong;
      }
    }
    return std::nullopt;
  }

 private:
  static std::optional<std::string> Wrong(std::size_t i, std::size_t j, Out found, Out want) {
    const auto found_bits = std::bit_cast<std::uint32_t>(found);
    const auto want_bits = std::bit_cast<std::uint32_t>(want);
    if (found_bits == want_bits) return std::nullopt;
    return fmt::format("C[{}][{}] has the bits {:#010x}, not {:#010x}", i, j, found_bits,
                       want_bits);
  }

  static Element ElementOf(In value) {
    if constexpr (sizeof(In) == 2) {
      return bfloat16::from_bits(value);
    } else {
      return value;
    }
  }

  void Pack() {
    m_tiles_ = (std::min(shape_.m, kTiledSide) + 3) / 4;
    n_tiles_ = (std::min(shape_.n, kTiledSide) + kN - 1) / kN;
    k_tiles_ = (shape_.k + 7) / 8;
    a_tiles_.resize(m_tiles_ * k_tiles_);
    b_tiles_.resize(k_tiles_ * n_tiles_);
    c_tiles_.resize(m_tiles_ * n_tiles_);
    for (std::size_t k = 0; k < shape_.k; ++k) {
      for (std::size_t i = 0; i < std::min(shape_.m, m_tiles_ * 4); ++i) {
        a_tiles_[i / 4 * k_tiles_ + k / 8].set(ElementOf(a_[i * shape_.k + k]),
                                               static_cast<unsigned>(i % 4 * 8 + k % 8));
      }
      for (std::size_t j = 0; j < std::min(shape_.n, n_tiles_ * kN); ++j) {
        b_tiles_[k / 8 * n_tiles_ + j / kN].set(ElementOf(b_[k * shape_.n + j]),
                                                static_cast<unsigned>(k % 8 * kN + j % kN));
      }
    }
  }

  MatmulShape shape_;
  std::vector<In> a_, b_;
  std::vector<Out> c_, want_;
  std::size_t m_tiles_ = 0, k_tiles_ = 0, n_tiles_ = 0;
  std::vector<typename Tile::vector_A_type> a_tiles_;
  std::vector<typename Tile::vector_B_type> b_tiles_;
  std::vector<typename Tile::accum_type> c_tiles_;
};

// Of what does not depend on the instruction set.
constexpr char kAnySet[] = "-";

// One figure of the table.
struct Timing {
  std::string row;     // "bf16 whole"
  std::string target;  // instruction set
  int threads;
  double macs;
  std::function<void()> run;
  bool slow;  // one run is enough
  double macs_per_second = 0;
};

// Keeps each benchmark's fastest repetition and prints nothing.
class Fastest : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      const double seconds = run.real_accumulated_time / static_cast<double>(run.iterations);
      double& best = seconds_.try_emplace(run.run_name.function_name, seconds).first->second;
      best = std::min(best, seconds);
    }
  }
  double Seconds(const std::string& name) const { return seconds_.at(name); }

 private:
  std::map<std::string, double> seconds_;
};

void Measure(std::vector<Timing>& timings) {
  int count = 1;
  char name[] = "aie_api";
  char* arguments[] = {name, nullptr};
  benchmark::Initialize(&count, arguments);
  const auto name_of = [&](const Timing& timing) {
    return std::to_string(&timing - timings.data());
  };
  for (const Timing& timing : timings) {
    auto* registered =
        benchmark::RegisterBenchmark(name_of(timing).c_str(), [&timing](benchmark::State& state) {
          if (timing.target != kAnySet) kernels::UseExactMatmulTarget(timing.target);
          for (auto _ : state) timing.run();
        });
    registered->UseRealTime();
    if (timing.slow) {
      registered->Iterations(1);
    } else {
      registered->MinTime(kSecondsOfOne)->Repetitions(kRepetitions);
    }
  }
  Fastest fastest;
  benchmark::RunSpecifiedBenchmarks(&fastest);
  kernels::UseExactMatmulTarget("");
  for (Timing& timing : timings) {
    timing.macs_per_second = timing.macs / fastest.Seconds(name_of(timing));
  }
}

struct Pools {
  explicit Pools(int threads) : one(1), all(threads) {}
  ThreadPool one, all;
};

double SecondsOf(const std::function<void()>& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Runs a product in every way and adds its timings. The message says which way gave other bits.
template <typename P>
std::optional<std::string> Prepare(const std::string& type, P& product, Pools& pools,
                                   std::vector<Timing>& timings) {
  const auto add = [&](const char* what, const std::string& target, int threads, double macs,
                       const std::function<void()>& run, auto&& wrong) {
    const bool slow = SecondsOf(run) > kSlow;
    timings.push_back({type + what, target, threads, macs, run, slow});
    std::optional<std::string> message = wrong();
    if (!message) return message;
    return std::optional(
        fmt::format("{}{}, {}, threads {}: {}", type, what, target, threads, *message));
  };
  std::vector<ThreadPool*> used = {&pools.one};
  if (pools.all.threads() > 1) used.push_back(&pools.all);
  const auto wrong_tile = [&] { return product.WrongTiled(); };
  for (const std::string& target : kernels::ExactMatmulTargets()) {
    kernels::UseExactMatmulTarget(target);
    for (ThreadPool* pool : used) {
      product.Clear();
      const auto run = [&product, pool] { product.Whole(*pool); };
      const auto wrong = add(" whole", target, pool->threads(), product.macs(), run,
                             [&] { return product.WrongWhole(); });
      if (wrong) return wrong;
    }
    if (!P::kTiledBySet) continue;
    const auto run = [&product] { product.Tiled(); };
    const auto wrong = add(" aie::mmul", target, 1, product.tiled_macs(), run, wrong_tile);
    if (wrong) return wrong;
  }
  kernels::UseExactMatmulTarget("");
  if (P::kTiledBySet) return std::nullopt;
  const auto run = [&product] { product.Tiled(); };
  return add(" aie::mmul", kAnySet, 1, product.tiled_macs(), run, wrong_tile);
}

void Print(const std::vector<Timing>& timings, int threads) {
  const double one_peak = MeasurePeak(1).f32.flops / 2;
  const MachinePeak& peak = MeasurePeak(threads);
  fmt::print("f32 peak {:.1f} G MAC/s on 1 thread, {:.1f} on {} ({}); all results bit-equal\n\n",
             one_peak * 1e-9, peak.f32.flops / 2e9, threads, peak.f32.instruction);
  fmt::print("{:<16} {:<12} {:>7} {:>10} {:>12}\n", "product", "set", "threads", "G MAC/s",
             "of f32 peak");
  std::vector<Timing> sorted = timings;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Timing& a, const Timing& b) {
    return a.row.ends_with("whole") > b.row.ends_with("whole");
  });
  for (const Timing& timing : sorted) {
    const double limit = timing.threads == 1 ? one_peak : peak.f32.flops / 2;
    fmt::print("{:<16} {:<12} {:>7} {:>10.2f} {:>10.1f} %\n", timing.row, timing.target,
               timing.threads, timing.macs_per_second * 1e-9, 100 * timing.macs_per_second / limit);
  }
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Prints multiply-adds a second of products with an AIE2 tile's bits, by instruction set:\n"
      "whole matrices on one and on all threads, and single aie::mmul tiles on one.\n\n"
      "  bazel run //bench:aie_api\n"
      "  bazel run //bench:aie_api -- --m=64 --k=232 --n=64 --threads=1\n");
  int threads = AvailableCpus();
  std::size_t m = 512, k = 512, n = 512;
  const CLI::Range size(1, 4096);
  app.add_option("--threads", threads, "of the rows with more than one")
      ->check(CLI::Range(1, AvailableCpus()))
      ->capture_default_str();
  app.add_option("--m", m, "rows of A and C")->check(size)->capture_default_str();
  app.add_option("--k", k, "columns of A, rows of B")->check(size)->capture_default_str();
  app.add_option("--n", n, "columns of B and C")->check(size)->capture_default_str();
  if (!ParseOptions(app, argc, argv)) return kExitOk;

  Pools pools(threads);
  Product<std::uint16_t, float, 4> bf16(m, k, n);
  Product<std::int8_t, std::int32_t, 8> int8(m, k, n);
  std::vector<Timing> timings;
  auto wrong = Prepare("bf16", bf16, pools, timings);
  if (!wrong) wrong = Prepare("int8", int8, pools, timings);
  if (wrong) {
    fmt::print("not bit-equal, so nothing is timed: {}\n", *wrong);
    return kExitWrong;
  }
  Measure(timings);
  fmt::print("{} ({})\nC[{}, {}] = A[{}, {}] B[{}, {}]\n", CpuModelName(), CpuFeatureString(), m, n,
             m, k, k, n);
  Print(timings, threads);
  return kExitOk;
}

}  // namespace
}  // namespace xdna::bench

int main(int argc, char** argv) {
  return xdna::RunProgram("aie_api", [&] { return xdna::bench::Main(argc, argv); });
}
