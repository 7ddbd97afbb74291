// The slot model beside what others measured of one core.
#ifndef KERNELS_AIE_SLOT_MODEL_FIT_H_
#define KERNELS_AIE_SLOT_MODEL_FIT_H_

#include <string>
#include <vector>

#include "kernels/aie/slot_model/reference_loops.h"
#include "kernels/aie/slot_model/slot_model.h"

namespace xdna::kernels {

struct PublishedFigure {
  const char* name;  // types and shape
  const char* source;
  CodeGenerator generator;
  MatmulLoop loop;
  enum Scope {
    kKernel,  // cycles between the kernel's first and last instruction
    kCalls,   // of the kernel called in a loop
    kBody,    // the inner loop as disassembled, without stalls
  } scope;
  double macs_per_cycle;  // measured by the source; of kBody, read off its disassembly
  bool fitted;            // a number of the model, or which waits it counts, is set by this row
};

// Single-core figures with a known schedule: operands in the tile's memory, nothing streamed.
const std::vector<PublishedFigure>& PublishedFigures();

struct FitRow {
  const PublishedFigure* figure;
  double model_macs_per_cycle = 0;
  double cycles = 0;  // the model's, of the scope

  double error_percent() const { return 100 * (model_macs_per_cycle / figure->macs_per_cycle - 1); }
};

// Counts the loop of each figure by running it.
std::vector<FitRow> FitRows();

// Of the rows' errors, without sign; those used for fitting or the others.
struct FitErrors {
  int rows = 0;
  double median_percent = 0, worst_percent = 0;
};
FitErrors ErrorsOf(const std::vector<FitRow>& rows, bool fitted);

// Figures that were published and have no row, and rows that are off, with what is missing.
struct Missing {
  const char* figure;
  const char* reason;
};
const std::vector<Missing>& MissingPieces();

}  // namespace xdna::kernels

#endif  // KERNELS_AIE_SLOT_MODEL_FIT_H_
