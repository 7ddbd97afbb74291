#include "kernels/matmul/matmul_tiles.h"

#include <aie_api/aie.hpp>

#include "kernels/matmul/matmul.h"

namespace xdna::kernels {
namespace {

int32 Align(int32 bytes) { return (bytes + 31) / 32 * 32; }
int32 Min(int32 a, int32 b) { return a < b ? a : b; }

// A rectangle of a row-major matrix of `cols` columns.
template <typename T>
struct Window {
  T* data;
  int32 cols;
  int32 row, col;       // where it starts
  int32 height, width;  // how much of it exists; the rest of the tile is padding
};

// The window as blocks of r x t, zeros where the matrix ends: the memory tile's descriptor.
template <typename T>
void Send(const Window<const T>& w, int32 rows, int32 cols, int32 r, int32 t, T* tile) {
  for (int32 i = 0; i < rows; ++i) {
    for (int32 j = 0; j < cols; ++j) {
      const bool inside = i < w.height && j < w.width;
      const int32 at = (i / r * (cols / t) + j / t) * r * t + i % r * t + j % t;
      tile[at] = inside ? w.data[(w.row + i) * w.cols + w.col + j] : T{};
    }
  }
}

// Back, without the padding.
template <typename T>
void Receive(const T* tile, int32 cols, int32 t, const Window<T>& w) {
  for (int32 i = 0; i < w.height; ++i) {
    for (int32 j = 0; j < w.width; ++j) {
      const int32 at = (i / 4 * (cols / t) + j / t) * 4 * t + i % 4 * t + j % t;
      w.data[(w.row + i) * w.cols + w.col + j] = tile[at];
    }
  }
}

// Tile memory, handed out from the start.
class Memory {
 public:
  explicit Memory(void* at) : at_(static_cast<unsigned char*>(at)) {}
  template <typename T>
  T* Take(int32 n) {
    T* taken = reinterpret_cast<T*>(at_);
    at_ += Align(n * static_cast<int32>(sizeof(T)));
    return taken;
  }

 private:
  unsigned char* at_;
};

// One tile of C: A and B come in steps of k, each step's buffers filled while the core works on the
// step before. multiply(a, b, first).
template <typename In, typename Multiply>
class Steps {
 public:
  Steps(const MatmulProblem& p, const MatmulTile& t, const In* a, const In* b, Memory& memory,
        const Multiply& multiply)
      : p_(p), t_(t), a_(a), b_(b), multiply_(multiply) {
    for (int32 i = 0; i < 2; ++i) {
      a_buffer_[i] = memory.Take<In>(t.m * t.k);
      b_buffer_[i] = memory.Take<In>(t.k * t.n);
    }
  }

  void Run(int32 row, int32 col) {
    const int32 steps = (p_.k + t_.k - 1) / t_.k;
    Fill(0, row, col);
    for (int32 s = 0; s < steps; ++s) {
      if (s + 1 < steps) Fill(s + 1, row, col);
      multiply_(a_buffer_[s % 2], b_buffer_[s % 2], s == 0);
    }
  }

 private:
  void Fill(int32 s, int32 row, int32 col) {
    const int32 z = s * t_.k, depth = Min(t_.k, p_.k - z);
    Send<In>({a_, p_.k, row, z, Min(t_.m, p_.m - row), depth}, t_.m, t_.k, 4, 8, a_buffer_[s % 2]);
    Send<In>({b_, p_.n, z, col, depth, Min(t_.n, p_.n - col)}, t_.k, t_.n, 8,
             sizeof(In) == 1 ? 8 : 4, b_buffer_[s % 2]);
  }

  const MatmulProblem& p_;
  const MatmulTile& t_;
  const In* a_;
  const In* b_;
  const Multiply& multiply_;
  In* a_buffer_[2];
  In* b_buffer_[2];
};

// All tiles of C; finish(row, col, height, width) takes what is in C to y.
template <typename In, typename Multiply, typename Finish>
void EachTile(const MatmulProblem& p, const MatmulTile& t, const In* a, const In* b, Memory& memory,
              const Multiply& multiply, const Finish& finish) {
  Steps<In, Multiply> steps(p, t, a, b, memory, multiply);
  for (int32 row = 0; row < p.m; row += t.m) {
    for (int32 col = 0; col < p.n; col += t.n) {
      steps.Run(row, col);
      finish(row, col, Min(t.m, p.m - row), Min(t.n, p.n - col));
    }
  }
}

void FinishTile(const float* c, float* y, const MatmulTile& t, const MatmulEpilogue& e) {
  matmul_finish_f32(c, y, t.m, t.n, &e);
}
void FinishTile(const float* c, bfloat16* y, const MatmulTile& t, const MatmulEpilogue& e) {
  matmul_finish_bf16(c, y, t.m, t.n, &e);
}
void FinishTile(const int32* c, int8* y, const MatmulTile& t, const MatmulIntEpilogue& e) {
  matmul_finish_int8(c, y, t.m, t.n, &e);
}
void FinishTile(const int32* c, int16* y, const MatmulTile& t, const MatmulIntEpilogue& e) {
  matmul_finish_int16(c, y, t.m, t.n, &e);
}
void FinishTile(const int32* c, int32* y, const MatmulTile& t, const MatmulIntEpilogue& e) {
  matmul_finish_int32(c, y, t.m, t.n, &e);
}

// Where an output of C's size shares its buffer, one of another size has its own.
template <typename Out, typename C>
Out* OutputOf(C* c, int32 n, Memory& memory) {
  if constexpr (sizeof(Out) == sizeof(C)) {
    return c;
  } else {
    return memory.Take<Out>(n);
  }
}

}  // namespace

int32 MatmulMemoryBytes(const MatmulTile& tile, int32 in_bytes, int32 out_bytes, bool residual) {
  const int32 c = tile.m * tile.n;
  return 2 * (Align(tile.m * tile.k * in_bytes) + Align(tile.k * tile.n * in_bytes)) +
         Align(c * 4) + Align(tile.n * 4) + (out_bytes == 4 ? 0 : Align(c * out_bytes)) +
         (residual ? Align(c * 2) : 0);
}

template <typename Out>
void RunMatmul(const MatmulProblem& p, const MatmulTile& t, const bfloat16* a, const bfloat16* b,
               const MatmulEpilogue& epilogue, Out* y, void* bytes) {
  Memory memory(bytes);
  auto* c = memory.Take<float>(t.m * t.n);
  auto* bias = memory.Take<float>(t.n);
  Out* out = OutputOf<Out>(c, t.m * t.n, memory);
  bfloat16* residual = epilogue.residual ? memory.Take<bfloat16>(t.m * t.n) : nullptr;
  const auto multiply = [&](const bfloat16* left, const bfloat16* right, bool first) {
    matmul_bf16(left, right, c, t.m, t.k, t.n, first ? 1 : 0);
  };
  const auto finish = [&](int32 row, int32 col, int32 height, int32 width) {
    MatmulEpilogue e = epilogue;
    if (e.bias) {
      Send<float>({epilogue.bias, p.n, 0, col, 1, width}, 1, t.n, 1, 4, bias);
      e.bias = bias;
    }
    if (residual) {
      Send<bfloat16>({epilogue.residual, p.n, row, col, height, width}, t.m, t.n, 4, 4, residual);
      e.residual = residual;
    }
    FinishTile(c, out, t, e);
    Receive<Out>(out, t.n, 4, {y, p.n, row, col, height, width});
  };
  EachTile(p, t, a, b, memory, multiply, finish);
}

template <typename Out>
void RunMatmul(const MatmulProblem& p, const MatmulTile& t, const int8* a, const int8* b,
               const MatmulIntEpilogue& epilogue, Out* y, void* bytes) {
  Memory memory(bytes);
  auto* c = memory.Take<int32>(t.m * t.n);
  auto* bias = memory.Take<int32>(t.n);
  Out* out = OutputOf<Out>(c, t.m * t.n, memory);
  const auto multiply = [&](const int8* left, const int8* right, bool first) {
    matmul_int8(left, right, c, t.m, t.k, t.n, first ? 1 : 0);
  };
  const auto finish = [&](int32 row, int32 col, int32 height, int32 width) {
    MatmulIntEpilogue e = epilogue;
    if (e.bias) {
      Send<int32>({epilogue.bias, p.n, 0, col, 1, width}, 1, t.n, 1, 8, bias);
      e.bias = bias;
    }
    FinishTile(c, out, t, e);
    Receive<Out>(out, t.n, 8, {y, p.n, row, col, height, width});
  };
  EachTile(p, t, a, b, memory, multiply, finish);
}

void RunMatmulReload(const MatmulProblem& p, const MatmulTile& t, const bfloat16* a,
                     const bfloat16* b, aie::rounding_mode rounding, bfloat16* y, void* bytes) {
  Memory memory(bytes);
  auto* c = memory.Take<bfloat16>(t.m * t.n);
  const auto multiply = [&](const bfloat16* left, const bfloat16* right, bool first) {
    matmul_reload_bf16(left, right, c, t.m, t.k, t.n, first ? 1 : 0, static_cast<int32>(rounding));
  };
  const auto finish = [&](int32 row, int32 col, int32 height, int32 width) {
    Receive<bfloat16>(c, t.n, 4, {y, p.n, row, col, height, width});
  };
  EachTile(p, t, a, b, memory, multiply, finish);
}

// NOLINTBEGIN(bugprone-macro-parentheses): the arguments are types.
#define XDNA_MATMUL(In, Epilogue, Out)                                                        \
  template void RunMatmul<Out>(const MatmulProblem&, const MatmulTile&, const In*, const In*, \
                               const Epilogue&, Out*, void*)
XDNA_MATMUL(bfloat16, MatmulEpilogue, float);
XDNA_MATMUL(bfloat16, MatmulEpilogue, bfloat16);
XDNA_MATMUL(int8, MatmulIntEpilogue, int8);
XDNA_MATMUL(int8, MatmulIntEpilogue, int16);
XDNA_MATMUL(int8, MatmulIntEpilogue, int32);
#undef XDNA_MATMUL
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace xdna::kernels
