// What //bench:xclbin is asked to do: an xclbin, its runs' buffers, and what must come out of them.
//
// A JSON object. Paths are relative to the manifest's folder. Data is row-major and little-endian.
//   {
//     "version": 1,
//     "name": "my_gemm",              of the record: no '/'
//     "xclbin": "final.xclbin",
//     "instructions": "insts.bin",    not needed where a simulated overlay brings its own
//     "kernel": "MLIR_AIE",
//     "arguments": [                  in the kernel's order, behind the instruction count
//       {"name": "a", "role": "in", "shape": [64, 64], "dtype": "bf16", "data": {"random": 1}},
//       null,                         a buffer that the instruction stream doesn't use
//       {"name": "c", "role": "out", "shape": [64, 64], "dtype": "bf16",
//        "expected": {"hdf5": "golden.h5", "dataset": "/c"},
//        "tolerance": {"absolute": 1e-3, "relative": 0.01, "provenance": "bf16 has 8 bits"}}
//     ],
//     "iterations": 100, "warm_up": 10,     default 20 and 3
//     "reuse": "context",                   default; fresh, bo, context, runlist:N
//     "flops": 524288                       of a run, may be absent
//   }
// Roles: "in" has data, "out" has expected and tolerance, "inout" has all three. Dtypes: f32, bf16,
// i8, u8, i32. Sources of data:
//   {"random": SEED}                  f32, bf16: SeededNormal(SEED, i); integers: 32 times that,
//                                     rounded and saturated
//   {"constant": NUMBER}
//   {"file": PATH}                    raw, in the argument's dtype
//   {"hdf5": PATH, "dataset": NAME}   of the argument's shape; converted, which must be exact for
//                                     integers
// `expected` is a file or a dataset. A tolerance has "absolute" or "relative" (0: exact), may have
// "rel_l2", "cosine" and "bias" (golden/compare.h), and says in "provenance" where they come from.
#ifndef BENCH_XCLBIN_MANIFEST_H_
#define BENCH_XCLBIN_MANIFEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "device/reuse.h"
#include "golden/compare.h"

namespace xdna::bench {

struct DataSource {
  enum class Kind : std::uint8_t { kRandom, kConstant, kFile, kHdf5 };
  Kind kind = Kind::kConstant;
  std::uint64_t seed = 0;
  double constant = 0;
  std::string path = {};
  std::string dataset = {};
};

struct ManifestArgument {
  enum class Role : std::uint8_t { kUnused, kIn, kOut, kInOut };
  Role role = Role::kUnused;
  std::string name = {};
  Shape shape = {};
  DType dtype = DType::kF32;
  DataSource data = {};      // kIn, kInOut
  DataSource expected = {};  // kOut, kInOut
  golden::Tolerance tolerance = {};

  bool has_data() const { return role == Role::kIn || role == Role::kInOut; }
  bool has_result() const { return role == Role::kOut || role == Role::kInOut; }
  std::size_t bytes() const;
};

struct Manifest {
  std::string name;
  std::string xclbin;        // path
  std::string instructions;  // path; empty: the container's own
  std::string kernel;
  std::vector<ManifestArgument> arguments;
  int iterations = 20;
  int warm_up = 3;
  device::Reuse reuse;
  std::optional<double> flops;
};

inline constexpr int kManifestVersion = 1;

// Throws kCorrupt, naming the field, what was found and what would be right. `folder` is what paths
// are relative to.
Manifest ParseManifest(std::string_view text, const std::string& folder);
// Errors begin with the path; kNotFound where there is no such file.
Manifest ReadManifest(const std::string& path);

// The data of a source, as a tensor of that shape and dtype. Errors name the file: kNotFound,
// kCorrupt for another size or shape, or a number that the dtype can't hold.
Tensor LoadData(const DataSource& source, const Shape& shape, DType dtype);

// All bytes of a file. Throws kNotFound, and kCorrupt for more than `most`.
std::vector<char> ReadBytes(const std::string& path, std::uint64_t most);

}  // namespace xdna::bench

#endif  // BENCH_XCLBIN_MANIFEST_H_
