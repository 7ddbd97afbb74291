// Why a modelled time changed.
#ifndef REPORTS_MODEL_DIFF_H_
#define REPORTS_MODEL_DIFF_H_

#include <string>

#include "bench/run_record.h"

namespace xdna::reports {

struct ModelDiff {
  // False where the time model differs (version, preset, host profile, code generator, a constant)
  // or is not recorded: then times do not tell of the program.
  bool comparable = true;
  // One line: which constants, else what of the schedule, differ and how; else between which
  // revisions the code changed. Empty where nothing differs at all.
  std::string text;
};

ModelDiff CompareModels(const bench::RunRecord& base, const bench::RunRecord& now);

}  // namespace xdna::reports

#endif  // REPORTS_MODEL_DIFF_H_
