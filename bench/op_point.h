// One point of a sweep: an op at a shape, in a variant; verified, then timed, then
// verified again.
#ifndef BENCH_OP_POINT_H_
#define BENCH_OP_POINT_H_

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "golden/compare.h"
#include "golden/store.h"
#include "ops/contract.h"
#include "ops/verify.h"

namespace xdna::bench {

// How a point runs on the NPU's array (ops/internal/npu_array.h has what it means).
struct ArrayChoice {
  std::int64_t batch = 0;         // rows of a run; 0: all
  std::string reuse = "context";  // device/reuse.h
  std::string tile = {};          // empty: the op's choice; "*": all
  std::size_t columns = 4;
};

struct OpPoint {
  std::string name;   // "linear/m=1500,k=512,n=2048/bf16/fast"
  std::string shape;  // "m=1500,k=512,n=2048"
  ops::Dims dims;
  ops::Variant variant;
  ArrayChoice array;

  // What became of it. Samples (seconds a run) only where the verdict is passed.
  golden::Verdict verdict;
  golden::Tolerance tolerance;
  std::string repro;  // a command, where a golden check did not pass
  std::vector<double> samples;
};

// What a point's result should be.
struct Expected {
  TensorMap in;  // seeded, f32
  Tensor want;   // f64
  Tensor scale;  // f64
};

// Runs the points of one op. Each variant's golden checks run once, each shape's
// float64 reference is kept for the other variants as long as memory allows.
class OpRunner {
 public:
  // `op`, `store` and `pool` outlive it. With `progress`, says on standard error what
  // takes seconds.
  OpRunner(const ops::Contract& op, const golden::Store& store, ThreadPool& pool,
           std::uint64_t seed, bool progress);

  // The body of a Google Benchmark, which calls it several times for more and more
  // iterations; samples of all calls count. Reports an error to `state` where the
  // verdict is not passed.
  void Run(OpPoint& point, benchmark::State& state);

  // The verdict alone, without a time; on the NPU's array with `array`, which may be null.
  void Check(OpPoint& point, ops::ArrayDevice* array = nullptr);

  // One more run of a point that passed, on the CPU, as a timeline in the file `path`.
  void Trace(const OpPoint& point, const std::string& path);

  // The inputs of a point, which a reference goes with.
  const TensorMap& InputsOf(const OpPoint& point) { return ExpectedOf(point)->in; }

 private:
  struct GoldenVerdict {
    golden::Verdict verdict;
    std::string repro;
  };
  const GoldenVerdict& CheckGoldens(const ops::Variant& variant);
  std::shared_ptr<const Expected> ExpectedOf(const OpPoint& point);
  bool Ready(OpPoint& point);
  bool Prepare(OpPoint& point);
  bool Verify(OpPoint& point);
  void WarmUp();
  void Sample(OpPoint& point);

  const ops::Contract& op_;
  const golden::Store& store_;
  const ops::CpuContext context_;
  ops::ArrayDevice* array_ = nullptr;  // of the present point
  const std::uint64_t seed_;
  const bool progress_;
  std::map<std::string, GoldenVerdict> goldens_;  // by precision and backend
  std::list<std::pair<std::string, std::shared_ptr<const Expected>>> references_;

  // Of the present point.
  const OpPoint* present_ = nullptr;
  std::shared_ptr<const Expected> expected_;
  std::unique_ptr<ops::Instance> instance_;
  std::int64_t batch_ = 1;  // runs a sample, so that reading the clock costs nothing
};

}  // namespace xdna::bench

#endif  // BENCH_OP_POINT_H_
