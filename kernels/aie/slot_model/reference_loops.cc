#include "kernels/aie/slot_model/reference_loops.h"

#include <aie_api/aie.hpp>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"

static_assert(AIE_HOST_COUNT, "this file's loops are run to be counted");

namespace xdna::kernels {
namespace {

struct Memory {
  alignas(64) std::uint8_t bytes[aie::host::memory_banks * aie::host::memory_bank_bytes] = {};
};

// All matrices as tiles of mmul's shape, tiles and their elements row-major. Multiplies `steps` of
// the k / K tiles along k.
template <typename Mmul, unsigned kRows, unsigned kColumns, typename In, typename Out>
void Multiply(const MatmulLoop& loop, unsigned steps, const In* a, const In* b, Out* c) {
  const unsigned m_tiles = loop.m / Mmul::M, k_tiles = loop.k / Mmul::K, n_tiles = loop.n / Mmul::N;
  for (unsigned i = 0; i < m_tiles; i += kRows) {
    for (unsigned j = 0; j < n_tiles; j += kColumns) {
      const auto c_tile = [&](unsigned r, unsigned s) {
        return c + ((i + r) * n_tiles + j + s) * Mmul::size_C;
      };
      Mmul sums[kRows][kColumns];
      for (unsigned r = 0; r < kRows; ++r) {
        for (unsigned s = 0; s < kColumns; ++s) {
          sums[r][s] = Mmul(aie::load_v<Mmul::size_C>(c_tile(r, s)));
        }
      }
      for (unsigned step = 0; step < steps; ++step) {
        aie::vector<In, Mmul::size_A> a_tiles[kRows];
        aie::vector<In, Mmul::size_B> b_tiles[kColumns];
        for (unsigned r = 0; r < kRows; ++r) {
          a_tiles[r] = aie::load_v<Mmul::size_A>(a + ((i + r) * k_tiles + step) * Mmul::size_A);
        }
        for (unsigned s = 0; s < kColumns; ++s) {
          b_tiles[s] = aie::load_v<Mmul::size_B>(b + (step * n_tiles + j + s) * Mmul::size_B);
        }
        for (unsigned r = 0; r < kRows; ++r) {
          for (unsigned s = 0; s < kColumns; ++s) sums[r][s].mac(a_tiles[r], b_tiles[s]);
        }
      }
      for (unsigned r = 0; r < kRows; ++r) {
        for (unsigned s = 0; s < kColumns; ++s) {
          aie::store_v(c_tile(r, s), sums[r][s].template to_vector<Out>());
        }
      }
    }
  }
}

void CheckSizes(const MatmulLoop& loop, unsigned m, unsigned k, unsigned n, std::size_t in_bytes,
                std::size_t out_bytes) {
  if (loop.m == 0 || loop.k == 0 || loop.n == 0 || loop.steps_per_iteration == 0 ||
      loop.m % (m * loop.rows) != 0 || loop.n % (n * loop.columns) != 0 ||
      loop.k % (k * loop.steps_per_iteration) != 0) {
    Throw(ErrorCode::kInvalidArgument, "{}x{}x{} is not a multiple of the block {}x{}x{}", loop.m,
          loop.k, loop.n, m * loop.rows, k * loop.steps_per_iteration, n * loop.columns);
  }
  const std::size_t bank = aie::host::memory_bank_bytes;
  const std::size_t a = in_bytes * loop.m * loop.k, b = in_bytes * loop.k * loop.n;
  const std::size_t c = out_bytes * loop.m * loop.n;
  if (a > bank || b > bank || c > 2 * bank) {
    Throw(ErrorCode::kInvalidArgument,
          "{}x{}x{} takes {}, {} and {} bytes; A and B have a bank of {} each, C two", loop.m,
          loop.k, loop.n, a, b, c, bank);
  }
}

// Calls use(run, Mmul(), In(), Out()) with run(steps, a, b, c) for the loop's types and block.
template <typename Mmul, typename In, typename Out, typename Use>
void WithBlock(const MatmulLoop& loop, Use&& use) {
  const auto call = [&](auto rows, auto columns) {
    CheckSizes(loop, Mmul::M, Mmul::K, Mmul::N, sizeof(In), sizeof(Out));
    use(
        [&](unsigned steps, const In* a, const In* b, Out* c) {
          Multiply<Mmul, decltype(rows)::value, decltype(columns)::value>(loop, steps, a, b, c);
        },
        Mmul(), In(), Out());
  };
  using std::integral_constant;
  constexpr integral_constant<unsigned, 2> kTwo;
  constexpr integral_constant<unsigned, 4> kFour;
  if (loop.rows == 4 && loop.columns == 4) return call(kFour, kFour);
  if (loop.rows == 4 && loop.columns == 2) return call(kFour, kTwo);
  if (loop.rows == 2 && loop.columns == 4) return call(kTwo, kFour);
  if (loop.rows == 2 && loop.columns == 2) return call(kTwo, kTwo);
  Throw(ErrorCode::kInvalidArgument, "no code for a block of {}x{} accumulators; 2 or 4 each",
        loop.rows, loop.columns);
}

template <typename Use>
void WithTypes(const MatmulLoop& loop, Use&& use) {
  using Bf16 = aie::mmul<4, 8, 4, bfloat16>;
  using Int8 = aie::mmul<4, 8, 8, int8>;
  switch (loop.types) {
    case MatmulTypes::kBf16Bf16:
      return WithBlock<Bf16, bfloat16, bfloat16>(loop, use);
    case MatmulTypes::kBf16F32:
      return WithBlock<Bf16, bfloat16, float>(loop, use);
    case MatmulTypes::kInt8Int8:
      return WithBlock<Int8, int8, int8>(loop, use);
    case MatmulTypes::kInt8Int16:
      return WithBlock<Int8, int8, int16>(loop, use);
    case MatmulTypes::kInt8Int32:
      return WithBlock<Int8, int8, int32>(loop, use);
  }
}

// Where the element of row i and column j lies in a matrix of `columns` columns kept in tiles.
std::size_t Place(unsigned i, unsigned j, unsigned columns, unsigned tile_m, unsigned tile_n) {
  const std::size_t tile = i / tile_m * std::size_t{columns / tile_n} + j / tile_n;
  return tile * tile_m * tile_n + i % tile_m * tile_n + j % tile_n;
}

}  // namespace

LoopWork CountMatmul(const MatmulLoop& loop) {
  LoopWork work;
  WithTypes(loop, [&](const auto& run, auto mmul, auto in, auto out) {
    using Mmul = decltype(mmul);
    const aie::host::core_state before = aie::host::core();
    Memory memory;
    const auto counts_of = [&](unsigned steps) {
      constexpr std::size_t kBank = aie::host::memory_bank_bytes;
      aie::host::core().counts = {};
      aie::host::core().memory = memory.bytes;
      run(steps, reinterpret_cast<const decltype(in)*>(memory.bytes),
          reinterpret_cast<const decltype(in)*>(memory.bytes + kBank),
          reinterpret_cast<decltype(out)*>(memory.bytes + 2 * kBank));
      return aie::host::core().counts;
    };
    const unsigned steps = loop.k / Mmul::K, unrolled = loop.steps_per_iteration;
    const aie::host::issue_counts counts = counts_of(steps);
    const aie::host::issue_counts fewer = counts_of(steps - unrolled);
    aie::host::core() = before;
    const std::uint64_t entries =
        std::uint64_t{loop.m / (Mmul::M * loop.rows)} * (loop.n / (Mmul::N * loop.columns));
    work = LoopFromRuns(counts, steps / unrolled, fewer, steps / unrolled - 1, entries);
    work.mac = std::is_same_v<decltype(in), bfloat16> ? MacType::kBf16 : MacType::kInteger;
    work.chain = unrolled;
  });
  return work;
}

std::vector<double> RunMatmul(const MatmulLoop& loop) {
  std::vector<double> result(std::size_t{loop.m} * loop.n);
  WithTypes(loop, [&](const auto& run, auto mmul, auto in, auto out) {
    using Mmul = decltype(mmul);
    using In = decltype(in);
    using Out = decltype(out);
    std::vector<In> a(std::size_t{loop.m} * loop.k), b(std::size_t{loop.k} * loop.n);
    std::vector<Out> c(result.size(), static_cast<Out>(1.0F));
    const auto value = [](unsigned residue, int least) {
      return static_cast<In>(static_cast<float>(static_cast<int>(residue) + least));
    };
    for (unsigned i = 0; i < loop.m; ++i) {
      for (unsigned j = 0; j < loop.k; ++j) {
        a[Place(i, j, loop.k, Mmul::M, Mmul::K)] = value((i + 2 * j) % 5, -2);
      }
    }
    for (unsigned i = 0; i < loop.k; ++i) {
      for (unsigned j = 0; j < loop.n; ++j) {
        b[Place(i, j, loop.n, Mmul::K, Mmul::N)] = value((3 * i + j) % 7, -3);
      }
    }
    run(loop.k / Mmul::K, a.data(), b.data(), c.data());
    for (unsigned i = 0; i < loop.m; ++i) {
      for (unsigned j = 0; j < loop.n; ++j) {
        const Out& element = c[Place(i, j, loop.n, Mmul::M, Mmul::N)];
        result[std::size_t{i} * loop.n + j] = static_cast<double>(static_cast<float>(element));
      }
    }
  });
  return result;
}

}  // namespace xdna::kernels
