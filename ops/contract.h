// The contract of an op: everything that tests, benchmarks, sweeps, reports and
// devices need to know of it, said once.
#ifndef OPS_CONTRACT_H_
#define OPS_CONTRACT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "golden/compare.h"
#include "golden/store.h"
#include "kernels/design/design.h"

namespace xdna::ops {

using golden::Dims;

enum class Precision : std::uint8_t {
  kF32,
  kBf16,
  kInt8,
  kMixed,  // of the encoder, never of an op: int8 but for what is sensitive
};
// Of an op.
inline constexpr Precision kAllPrecisions[] = {Precision::kF32, Precision::kBf16, Precision::kInt8};
const char* PrecisionName(Precision precision);      // "f32", "bf16", "int8", "mixed"
Precision PrecisionFromName(std::string_view name);  // throws kInvalidArgument

enum class Device : std::uint8_t { kCpu, kNpu };
const char* DeviceName(Device device);         // "cpu", "npu"
Device DeviceFromName(std::string_view name);  // throws kInvalidArgument

// Who computes, and where.
enum class Backend : std::uint8_t {
  kFast,   // CPU: oneDNN and vector code, chosen at run time for this machine
  kEigen,  // CPU: plain f32 in Eigen: slow, simple, runs anywhere
  kTile,   // NPU: the kernels of one core tile, call after call
  kArray,  // NPU: the whole array, through XRT (ops/internal/npu_array.h)
};
Device DeviceOf(Backend backend);
const char* BackendName(Backend backend);        // "fast", "eigen", "tile", "array"
Backend BackendFromName(std::string_view name);  // the CPU's; throws kInvalidArgument

struct Variant {
  Precision precision = Precision::kF32;
  Backend backend = Backend::kFast;
  // Which of the op's kernels, where the NPU has several; empty: the one to use. Text that
  // outlives the variant.
  std::string_view kernel = {};

  Device device() const { return DeviceOf(backend); }
  bool operator==(const Variant&) const = default;
};
// "fast", "tile", "tile_one_pass": backend and kernel.
std::string BackendName(const Variant& variant);

class Profile;      // ops/internal/profile.h
class ArrayDevice;  // ops/internal/npu_array.h
class Workspace;    // ops/internal/workspace.h

// What an op runs with; all of it outlives every instance.
struct CpuContext {
  ThreadPool* pool = nullptr;
  Profile* profile = nullptr;  // may be null
  // Where and how Backend::kArray runs. Null: each instance opens the device for itself, with the
  // options' defaults.
  ArrayDevice* array = nullptr;
  // What the CPU's ops keep their intermediate results in. Null: each op has its own.
  Workspace* workspace = nullptr;
};

struct Operand {
  std::string_view name;
  std::string_view shape;  // symbols and numbers: "m,k", "n,k,3"
  bool weight = false;     // fixed ahead of time: packing it is not timed
};

// A call of a tile's kernel: "15x512" rows and columns, "64x64x32" m, k and n.
struct TileShape {
  std::string name;
  double results = 0;  // elements that a call makes
  kernels::Design design;
};

// A tile that Backend::kArray can use, by the arithmetic that ranks tiles before any is simulated.
struct ArrayTile {
  std::string name;
  double cycles = 0;            // of one run, estimated
  std::string_view bound = {};  // what the estimate is made of: "compute", "dma", "ddr"
};

struct ArrayTiles {
  std::vector<ArrayTile> legal;  // those that should be the fastest first
  // How many other shapes were looked at, by what they break: "core memory", "program memory", ...
  std::map<std::string, std::int64_t> refused;
};

// An op made ready for given operands: weights packed, inputs in the variant's own
// dtype. Run() is what a benchmark times.
class Instance {
 public:
  virtual ~Instance() = default;
  virtual void Run() = 0;
  // Fills the result with NaN, so that work that was not done shows.
  virtual void Poison() = 0;
  // The result of the last Run(), as f32.
  virtual Tensor Output() const = 0;
};

struct Contract {
  std::string_view name;
  std::string_view summary;
  std::vector<Operand> inputs;  // f32 in goldens
  Operand output;               // one; f32 in goldens
  Dims defaults;                // Whisper base's shape, for benchmarks
  // Names in `defaults` that are switches, 0 or 1, and that follow from the others.
  std::vector<std::string_view> switches;
  std::vector<std::string_view> derived;
  std::vector<Variant> variants;
  // Kernels among these that others use or that a slip would make, kept for comparison: wrong, and
  // some golden case must say so.
  std::vector<std::string_view> wrong_kernels;

  // Sets the derived dims; throws kInvalidArgument where dims contradict each other.
  // Null where there are none to set and no rule but the shapes.
  void (*complete)(Dims&) = nullptr;
  double (*flops)(const Dims&);             // 2 per multiply-add
  double (*bytes)(const Dims&, Precision);  // least traffic: each operand once
  // Limits for one golden case; `data` as in golden/store.h.
  golden::Tolerance (*tolerance)(const Dims&, Variant, std::string_view data);
  // Float64 from f32 inputs: the second opinion beside the goldens, and the
  // reference for shapes that have none.
  Tensor (*reference)(const Dims&, const TensorMap& in);
  // Magnitudes of the terms behind each result, f64 of the output's shape: what the
  // element-wise tolerance is relative to. As `scale` in golden/reference.py.
  Tensor (*scale)(const Dims&, const TensorMap& in);
  // Operands are f32 with the shapes of `inputs`; throws kUnsupported, with the
  // reason, where this machine can't run the variant.
  std::unique_ptr<Instance> (*make)(const Dims&, const TensorMap& in, Variant, const CpuContext&);
  // Tile shapes for a variant of the NPU: all that fit a core tile, the best first, then the
  // nearest that do not.
  std::vector<TileShape> (*tiles)(const Dims&, Variant) = nullptr;
  // The tiles of Backend::kArray with so many columns, for runs of `batch` rows.
  ArrayTiles (*array_tiles)(const Dims&, Variant, std::int64_t batch,
                            std::size_t columns) = nullptr;

  bool Has(const Variant& variant) const;
  bool IsWrong(const Variant& variant) const;
  // The variant with these names ("bf16", "tile_floor"); throws kInvalidArgument, with what there
  // is.
  const Variant& FindVariant(std::string_view precision, std::string_view backend) const;
};

// Shape of an operand under `dims`; throws kInvalidArgument for an unknown symbol.
Shape ShapeOf(const Operand& operand, const Dims& dims);

// Seeded inputs for shapes without a golden: activations standard normal, weights
// normal with standard deviation 1/sqrt(fan-in). Same seed, same bits, anywhere.
TensorMap RandomInputs(const Contract& contract, const Dims& dims, std::uint64_t seed);

}  // namespace xdna::ops

#endif  // OPS_CONTRACT_H_
