#include "ops/internal/matmul.h"

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"

// Of OpenMP's omp.h, which clang has only with a package of its own.
extern "C" void omp_set_num_threads(int threads);

namespace xdna::ops {
namespace {

using DnnlType = dnnl::memory::data_type;
using DnnlTag = dnnl::memory::format_tag;

DnnlType ToDnnl(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return DnnlType::f32;
    case DType::kBf16:
      return DnnlType::bf16;
    case DType::kI8:
      return DnnlType::s8;
    case DType::kU8:
      return DnnlType::u8;
    case DType::kI32:
      return DnnlType::s32;
    default:
      Throw(ErrorCode::kInternal, "no matrix product in {}", DTypeName(dtype));
  }
}

// Of B.
DnnlType WeightType(DType in) { return ToDnnl(in == DType::kU8 ? DType::kI8 : in); }

const dnnl::engine& Engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

bool HasExactInt8() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto vnni = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_vnni);
  return (isa & vnni) == vnni;
}

// oneDNN as Debian builds it runs each primitive on an OpenMP team. A team of one
// is a plain call.
dnnl::stream& ThreadStream() {
  thread_local dnnl::stream stream = [] {
    omp_set_num_threads(1);
    return dnnl::stream(Engine());
  }();
  return stream;
}

// Memory for oneDNN's intermediate results, one for each thread, as large as the
// largest product so far needed.
void* ThreadScratchpad(std::size_t bytes) {
  thread_local Tensor scratchpad;
  if (scratchpad.empty() || scratchpad.bytes() < bytes) {
    scratchpad = Tensor(DType::kU8, {static_cast<std::int64_t>(bytes)});
  }
  return scratchpad.view().raw();
}

class OneDnnMatmul : public Matmul {
 public:
  explicit OneDnnMatmul(const MatmulSpec& spec) : spec_(spec) {
    ThreadStream();  // one thread, before a primitive is made for as many as there are
    if ((spec.in == DType::kI8 || spec.in == DType::kU8) && !HasExactInt8()) {
      Throw(ErrorCode::kUnsupported,
            "int8 products need AVX-512 VNNI or AMX here: without them oneDNN adds pairs in 16 "
            "bits, which saturates");
    }
    try {
      for (std::int64_t rows : spec.rows) Add(rows);
    } catch (const dnnl::error& error) {
      Throw(ErrorCode::kUnsupported, "oneDNN can't multiply {} matrices on this machine ({})",
            DTypeName(spec.in), error.what());
    }
  }

  std::size_t packed_bytes() const override { return weights_.get_size(); }

  void Pack(const TensorView& b, void* packed) const override {
    const dnnl::memory::desc plain({spec_.k, spec_.n}, WeightType(spec_.in),
                                   {b.strides()[0], b.strides()[1]});
    dnnl::memory from(plain, Engine(), b.raw());
    dnnl::memory to(weights_, Engine(), packed);
    dnnl::stream& stream = ThreadStream();
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
  }

  void Run(const void* in, std::int64_t rows, const void* packed, const float* bias,
           void* out) const override {
    const Piece& piece = pieces_.at(rows);
    const auto memory = [](const dnnl::memory::desc& desc, const void* data) {
      return dnnl::memory(desc, Engine(), const_cast<void*>(data));
    };
    std::unordered_map<int, dnnl::memory> args = {
        {DNNL_ARG_SRC, memory(piece.in, in)},
        {DNNL_ARG_WEIGHTS, memory(weights_, packed)},
        {DNNL_ARG_DST, memory(piece.out, out)},
        {DNNL_ARG_SCRATCHPAD,
         memory(piece.scratchpad, ThreadScratchpad(piece.scratchpad.get_size()))},
    };
    if (spec_.bias) args.emplace(DNNL_ARG_BIAS, memory(bias_, bias));
    dnnl::stream& stream = ThreadStream();
    piece.primitive.execute(stream, args);
    stream.wait();
  }

  std::string description() const override { return description_; }

 private:
  struct Piece {
    dnnl::matmul primitive;
    dnnl::memory::desc in, out, scratchpad;
  };

  void Add(std::int64_t rows) {
    if (pieces_.count(rows) != 0) return;
    const auto& [k, n] = std::pair(spec_.k, spec_.n);
    Piece piece;
    piece.in = {{rows, k}, ToDnnl(spec_.in), {spec_.in_stride != 0 ? spec_.in_stride : k, 1}};
    piece.out = {{rows, n}, ToDnnl(spec_.out), {spec_.out_stride != 0 ? spec_.out_stride : n, 1}};
    // The layout that the first piece asks for serves all of them.
    const dnnl::memory::desc b =
        pieces_.empty() ? dnnl::memory::desc({k, n}, WeightType(spec_.in), DnnlTag::any) : weights_;
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (spec_.accumulate) {
      dnnl::post_ops post;
      post.append_sum(1.0F);
      attr.set_post_ops(post);
    }
    bias_ = {{1, n}, DnnlType::f32, DnnlTag::ab};
    const dnnl::matmul::desc desc = spec_.bias ? dnnl::matmul::desc(piece.in, b, bias_, piece.out)
                                               : dnnl::matmul::desc(piece.in, b, piece.out);
    const dnnl::matmul::primitive_desc primitive(desc, attr, Engine());
    piece.primitive = dnnl::matmul(primitive);
    piece.scratchpad = primitive.scratchpad_desc();
    weights_ = primitive.weights_desc();
    description_ = fmt::format("oneDNN {}", primitive.impl_info_str());
    pieces_.emplace(rows, std::move(piece));
  }

  MatmulSpec spec_;
  std::map<std::int64_t, Piece> pieces_;
  dnnl::memory::desc weights_, bias_;
  std::string description_;
};

class EigenMatmul : public Matmul {
 public:
  explicit EigenMatmul(const MatmulSpec& spec) : spec_(spec) {
    if (spec.in != DType::kF32 || spec.out != DType::kF32) {
      Throw(ErrorCode::kUnsupported, "the eigen backend computes in f32, not in {}",
            DTypeName(spec.in));
    }
  }

  std::size_t packed_bytes() const override { return spec_.k * spec_.n * sizeof(float); }

  void Pack(const TensorView& b, void* packed) const override {
    const Eigen::Map<const Matrix, 0, Strides> from(b.data<const float>(), spec_.k, spec_.n,
                                                    Strides(b.strides()[0], b.strides()[1]));
    Eigen::Map<Matrix>(static_cast<float*>(packed), spec_.k, spec_.n) = from;
  }

  void Run(const void* in, std::int64_t rows, const void* packed, const float* bias,
           void* out) const override {
    const std::int64_t in_stride = spec_.in_stride != 0 ? spec_.in_stride : spec_.k;
    const std::int64_t out_stride = spec_.out_stride != 0 ? spec_.out_stride : spec_.n;
    const Eigen::Map<const Matrix, 0, Strides> x(static_cast<const float*>(in), rows, spec_.k,
                                                 Strides(in_stride, 1));
    const Eigen::Map<const Matrix> b(static_cast<const float*>(packed), spec_.k, spec_.n);
    Eigen::Map<Matrix, 0, Strides> y(static_cast<float*>(out), rows, spec_.n,
                                     Strides(out_stride, 1));
    if (!spec_.accumulate) y.setZero();
    y.noalias() += x * b;
    if (spec_.bias) y.rowwise() += Eigen::Map<const Eigen::RowVectorXf>(bias, spec_.n);
  }

  std::string description() const override { return "Eigen"; }

 private:
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  MatmulSpec spec_;
};

}  // namespace

std::unique_ptr<Matmul> Matmul::Create(Backend backend, const MatmulSpec& spec) {
  if (backend == Backend::kEigen) return std::make_unique<EigenMatmul>(spec);
  return std::make_unique<OneDnnMatmul>(spec);
}

std::int64_t PieceRows(std::int64_t m, std::int64_t wanted, int threads) {
  std::int64_t pieces = std::max<std::int64_t>(1, (m + wanted - 1) / wanted);
  if (pieces > 1 || m >= 2 * threads) pieces = (pieces + threads - 1) / threads * threads;
  pieces = std::min(pieces, m);
  return (m + pieces - 1) / pieces;
}

std::vector<std::int64_t> PieceSizes(std::int64_t m, std::int64_t piece) {
  std::vector<std::int64_t> sizes = {std::min(piece, m)};
  if (m > piece && m % piece != 0) sizes.push_back(m % piece);
  return sizes;
}

}  // namespace xdna::ops
