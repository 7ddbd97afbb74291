#include "kernels/aie/slot_model/fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/error.h"
#include "kernels/aie/slot_model/reference_loops.h"
#include "kernels/aie/slot_model/slot_model.h"

namespace xdna::kernels {
namespace {

using enum MatmulTypes;

const FitRow& RowOf(const std::vector<FitRow>& rows, double macs_per_cycle) {
  for (const FitRow& row : rows) {
    if (std::abs(row.figure->macs_per_cycle - macs_per_cycle) < 0.05) return row;
  }
  ADD_FAILURE() << "no figure of " << macs_per_cycle;
  return rows.front();
}

TEST(Fit, EachMeasuredFigureIsWithinTenPercent) {
  for (const FitRow& row : FitRows()) {
    // A compiler's choice for one loop, read off a disassembly: see MissingPieces().
    const bool body = row.figure->scope == PublishedFigure::kBody;
    EXPECT_LT(std::abs(row.error_percent()), body ? 12 : 10) << row.figure->name;
  }
}

TEST(Fit, TheMedianIsBelowFivePercent) {
  const std::vector<FitRow> rows = FitRows();
  EXPECT_LT(ErrorsOf(rows, true).median_percent, 3);
  const FitErrors checked = ErrorsOf(rows, false);
  EXPECT_LT(checked.median_percent, 5);
  EXPECT_GT(checked.rows, 2 * ErrorsOf(rows, true).rows);  // most rows were not fitted
}

TEST(Fit, TheHeadlines) {
  const std::vector<FitRow> rows = FitRows();
  for (const double published : {112.6, 233.0, 398 / 3.6, 0.377 * 128, 0.393 * 256}) {
    EXPECT_LT(std::abs(RowOf(rows, published).error_percent()), 5) << published;
  }
}

// A slip of one operation a loop iteration must show: else the bounds above bind nothing.
TEST(Fit, SeesOneMoreOperationAnIteration) {
  const LoopWork work = CountMatmul({kInt8Int8, 64, 232, 64, 4, 2});
  LoopWork slip = work;
  slip.body.vmac += slip.iterations * slip.entries;
  const double cycles = Cycles(CodeGenerator::kChess, work);
  EXPECT_GT(Cycles(CodeGenerator::kChess, slip), 1.1 * cycles);
}

TEST(CountMatmul, CountsTheBf16Loop) {
  const LoopWork work = CountMatmul({kBf16Bf16, 64, 104, 64, 4, 4});
  EXPECT_EQ(work.entries, 16U);
  EXPECT_EQ(work.iterations, 13U);
  EXPECT_EQ(work.mac, MacType::kBf16);
  EXPECT_EQ(work.body.vmac, 16U * 13 * 16);
  EXPECT_EQ(work.body.load[0], 8U * 13 * 16);  // four tiles of A of 512 bits
  EXPECT_EQ(work.body.load[1], 8U * 13 * 16);
  EXPECT_EQ(work.around.load[2], 16U * 16);  // a tile of C is 256 bits
  EXPECT_EQ(work.around.store[2], 16U * 16);
  EXPECT_EQ(work.around.vmac + work.body.misaligned + work.around.misaligned, 0U);
}

TEST(CountMatmul, CountsTheInt8Loop) {
  const LoopWork work = CountMatmul({kInt8Int32, 64, 64, 64, 2, 2, 2});
  EXPECT_EQ(work.entries, 32U);
  EXPECT_EQ(work.iterations, 4U);
  EXPECT_EQ(work.chain, 2U);
  EXPECT_EQ(work.mac, MacType::kInteger);
  EXPECT_EQ(work.body.vmac, 8U * 4 * 32);
  EXPECT_EQ(work.body.load[0], 4U * 4 * 32);  // a tile of A is 256 bits, of B 512
  EXPECT_EQ(work.body.load[1], 8U * 4 * 32);
  EXPECT_EQ(work.around.load[2], 16U * 32);  // a tile of C is 1024 bits
}

TEST(CountMatmul, LeavesTheCoreAsItWas) {
  aie::host::core().counts.vmac = 7;
  CountMatmul({kInt8Int8, 16, 16, 16, 4, 2});
  EXPECT_EQ(aie::host::core().counts.vmac, 7U);
  EXPECT_EQ(aie::host::core().memory, nullptr);
  aie::host::core() = {};
}

TEST(CountMatmul, RefusesWhatDoesNotFit) {
  EXPECT_THROW(CountMatmul({kBf16Bf16, 60, 64, 64, 4, 4}), Error);
  EXPECT_THROW(CountMatmul({kBf16Bf16, 64, 60, 64, 4, 4}), Error);
  EXPECT_THROW(CountMatmul({kBf16Bf16, 64, 64, 0, 4, 4}), Error);
  EXPECT_THROW(CountMatmul({kInt8Int8, 64, 64, 64, 3, 2}), Error);
  EXPECT_THROW(CountMatmul({kInt8Int8, 64, 64, 64, 4, 2, 3}), Error);
  EXPECT_THROW(CountMatmul({kInt8Int8, 64, 64, 64, 4, 2, 0}), Error);
  EXPECT_THROW(CountMatmul({kInt8Int8, 128, 256, 64, 4, 2}), Error);  // A is two banks
}

TEST(RunMatmul, IsAMatrixProduct) {
  for (const MatmulLoop& loop :
       {MatmulLoop{kBf16Bf16, 16, 8, 16, 4, 4}, MatmulLoop{kBf16F32, 32, 24, 48, 4, 4},
        MatmulLoop{kBf16F32, 32, 32, 32, 2, 4}, MatmulLoop{kInt8Int8, 16, 8, 16, 4, 2},
        MatmulLoop{kInt8Int16, 32, 24, 48, 4, 2}, MatmulLoop{kInt8Int32, 16, 40, 32, 2, 2}}) {
    const std::vector<double> c = RunMatmul(loop);
    for (unsigned i = 0; i < loop.m; ++i) {
      for (unsigned j = 0; j < loop.n; ++j) {
        int want = 1;
        for (unsigned p = 0; p < loop.k; ++p) {
          want += (static_cast<int>((i + 2 * p) % 5) - 2) * (static_cast<int>((3 * p + j) % 7) - 3);
        }
        ASSERT_EQ(c[i * loop.n + j], want) << i << ' ' << j;
      }
    }
  }
}

}  // namespace
}  // namespace xdna::kernels
