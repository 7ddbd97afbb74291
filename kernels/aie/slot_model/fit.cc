#include "kernels/aie/slot_model/fit.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/aie/slot_model/reference_loops.h"
#include "kernels/aie/slot_model/slot_model.h"

namespace xdna::kernels {
namespace {

// Taka et al., "Striking the Balance", tables 1 and 2: Ryzen 9 7940HS, xchesscc, hardware trace.
// Their register blocks are not stated; those of mlir-aie's mm.cc are taken.
constexpr char kGemm25T1[] = "arXiv 2512.13282 table 1";
constexpr char kGemm25T2[] = "arXiv 2512.13282 table 2";
// SILICON audit C.2: Ryzen 7 8700G, kernel called up to 10^6 times, operands in L1; Peano 22.
constexpr char kAudit[] = "SILICON audit C.2";
constexpr char kCaps[] = "SILICON audit C, disassembly";
constexpr char kJena[] = "Jena, 398 GFLOPS at 1.8 GHz";

constexpr double Macs(unsigned m, unsigned k, unsigned n) { return double{1} * m * k * n; }

PublishedFigure Chess(const char* name, const char* source, MatmulTypes types, unsigned m,
                      unsigned k, unsigned n, double macs_per_cycle, bool fitted) {
  const bool bf16 = types == MatmulTypes::kBf16Bf16;
  return {name,
          source,
          CodeGenerator::kChess,
          {types, m, k, n, 4, bf16 ? 4U : 2U},
          PublishedFigure::kKernel,
          macs_per_cycle,
          fitted};
}

// Upstream's mm.cc with C of f32 or int32, cycles a call.
PublishedFigure Upstream(const char* name, MatmulTypes types, unsigned m, unsigned k, unsigned n,
                         double cycles, bool fitted) {
  const bool bf16 = types == MatmulTypes::kBf16F32;
  return {name,
          kAudit,
          CodeGenerator::kPeano,
          {types, m, k, n, 4, bf16 ? 4U : 2U},
          PublishedFigure::kCalls,
          Macs(m, k, n) / cycles,
          fitted};
}

double ModelCycles(const PublishedFigure& figure, const LoopWork& work) {
  switch (figure.scope) {
    case PublishedFigure::kKernel:
      return Cycles(figure.generator, work);
    case PublishedFigure::kCalls:
      return Cycles(figure.generator, work) + CallCycles();
    case PublishedFigure::kBody:
      return IntervalOf(figure.generator, work).bundles *
             static_cast<double>(work.iterations * work.entries);
  }
  return 0;
}

}  // namespace

const std::vector<PublishedFigure>& PublishedFigures() {
  using enum MatmulTypes;
  using enum CodeGenerator;
  using F = PublishedFigure;
  static const std::vector<PublishedFigure> figures = {
      Chess("int8 -> int8, 64x232x64", kGemm25T1, kInt8Int8, 64, 232, 64, 233.0, true),
      Chess("int8 -> int16, 64x216x64", kGemm25T1, kInt8Int16, 64, 216, 64, 217.6, false),
      Chess("int8 -> int32, 48x280x48", kGemm25T1, kInt8Int32, 48, 280, 48, 192.0, false),
      Chess("bf16 -> bf16, 64x104x64", kGemm25T1, kBf16Bf16, 64, 104, 64, 112.6, true),
      Chess("int8 -> int8, 112x112x112", kGemm25T2, kInt8Int8, 112, 112, 112, 212.5, false),
      Chess("int8 -> int8, 112x104x128", kGemm25T2, kInt8Int8, 112, 104, 128, 207.4, false),
      Chess("int8 -> int16, 96x112x96", kGemm25T2, kInt8Int16, 96, 112, 96, 192.0, false),
      Chess("int8 -> int16, 80x104x128", kGemm25T2, kInt8Int16, 80, 104, 128, 186.9, false),
      Chess("int8 -> int32, 80x88x96", kGemm25T2, kInt8Int32, 80, 88, 96, 146.0, false),
      Chess("int8 -> int32, 64x80x128", kGemm25T2, kInt8Int32, 64, 80, 128, 133.1, false),
      Chess("bf16 -> bf16, 96x56x96", kGemm25T2, kBf16Bf16, 96, 56, 96, 99.8, false),
      Chess("bf16 -> bf16, 96x48x112", kGemm25T2, kBf16Bf16, 96, 48, 112, 97.3, false),
      {"bf16 mm.cc loop, cap 50 %",
       kCaps,
       kPeano,
       {kBf16F32, 64, 64, 64, 4, 4},
       F::kBody,
       64,
       true},
      {"int8 mm.cc loop, cap 88.9 %",
       kCaps,
       kPeano,
       {kInt8Int32, 64, 64, 64, 4, 2},
       F::kBody,
       256 * 8 / 9.0,
       true},
      {"int8 2x2 loop of 2 k, cap 100 %",
       "SILICON gemm_reblock_h11",
       kPeano,
       {kInt8Int32, 64, 64, 64, 2, 2, 2},
       F::kBody,
       256,
       false},
      Upstream("bf16 mm.cc, 64x64x64, 37.7 %", kBf16F32, 64, 64, 64, 5427.4, true),
      Upstream("int8 mm.cc, 64x64x64, 39.3 %", kInt8Int32, 64, 64, 64, 2604.8, true),
      Upstream("bf16 mm.cc, 32x32x32, 28.5 %", kBf16F32, 32, 32, 32, 898.6, false),
      Upstream("bf16 mm.cc, 32x64x32, 36.1 %", kBf16F32, 32, 64, 32, 1418.5, false),
      Upstream("bf16 mm.cc, 32x128x32, 41.3 %", kBf16F32, 32, 128, 32, 2482.4, false),
      Upstream("int8 mm.cc, 32x32x32, 24.0 %", kInt8Int32, 32, 32, 32, 533.4, false),
      Upstream("int8 mm.cc, 32x64x32, 36.7 %", kInt8Int32, 32, 64, 32, 697.1, false),
      Upstream("int8 mm.cc, 32x128x32, 50.7 %", kInt8Int32, 32, 128, 32, 1009.4, false),
      {"bf16 -> f32, 32x32x32",
       kJena,
       kAsm,
       {kBf16F32, 32, 32, 32, 2, 4},
       F::kCalls,
       398e9 / 2 / 1.8e9,
       false},
      {"bf16 -> f32, 32x32x32, again",
       kAudit,
       kAsm,
       {kBf16F32, 32, 32, 32, 2, 4},
       F::kCalls,
       Macs(32, 32, 32) / 301.3,
       false},
  };
  return figures;
}

std::vector<FitRow> FitRows() {
  std::vector<FitRow> rows;
  for (const PublishedFigure& figure : PublishedFigures()) {
    const LoopWork work = CountMatmul(figure.loop);
    FitRow row = {&figure};
    row.cycles = ModelCycles(figure, work);
    row.model_macs_per_cycle = Macs(figure.loop.m, figure.loop.k, figure.loop.n) / row.cycles;
    rows.push_back(row);
  }
  return rows;
}

FitErrors ErrorsOf(const std::vector<FitRow>& rows, bool fitted) {
  std::vector<double> errors;
  for (const FitRow& row : rows) {
    if (row.figure->fitted == fitted) errors.push_back(std::abs(row.error_percent()));
  }
  if (errors.empty()) return {};
  std::sort(errors.begin(), errors.end());
  const std::size_t half = errors.size() / 2;
  const double median =
      errors.size() % 2 == 1 ? errors[half] : (errors[half - 1] + errors[half]) / 2;
  return {static_cast<int>(errors.size()), median, errors.back()};
}

const std::vector<Missing>& MissingPieces() {
  static const std::vector<Missing> missing = {
      {"peano, int8 2x2 loop",
       "the model gives every loop of this compiler one unused bundle; it found none to spare "
       "here"},
      {"chess, bf16 -> bf16 (model 4 to 6 % slow)",
       "C's first and last accesses run beside MACs of the first and last k step; not modelled"},
      {"chess, int8 -> int32, 48x280x48",
       "register block and buffer placement are not published; spills and bank conflicts are not "
       "modelled"},
      {"peano, int8 mm.cc, small k (model 3 to 7 % fast)",
       "spilled accumulators (a frame of 416 bytes) and their bank conflicts are not counted"},
      {"mlir-aie issue 2735: ~75 % int16, ~50 % bf16 of the array",
       "compiler and C's type not stated, and data movement is in it"},
      {"GEMMs of the whole array", "not of one core: they need the array's model"},
  };
  return missing;
}

}  // namespace xdna::kernels
