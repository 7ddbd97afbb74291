// Checks ops against their goldens. Tests, benchmarks and repro lines all come
// here, so that they can't disagree about what is right.
#ifndef OPS_VERIFY_H_
#define OPS_VERIFY_H_

#include <string>
#include <vector>

#include "golden/compare.h"
#include "golden/store.h"
#include "ops/contract.h"

namespace xdna::ops {

// One golden case in one variant. Its name is "CASE/PRECISION/BACKEND", as repro
// lines and test names spell it.
struct Check {
  std::string case_name;
  Variant variant;
};
std::string CheckName(const Check& check);
Check ParseCheck(const Contract& op, const std::string& name);  // throws kInvalidArgument

// Path of an op's golden file among this program's runfiles; throws kNotFound.
std::string GoldenPath(const Contract& op);

// Every case of the golden file in every variant of the op, the wrong kernels' too.
std::vector<Check> ChecksOf(const Contract& op, const golden::Store& store);

// Runs the op over a poisoned result and compares. What the machine can't run is
// kUnsupported; a corrupt golden throws.
golden::Verdict RunCheck(const Contract& op, const golden::Store& store, const Check& check,
                         const CpuContext& context);

// A command that runs this check again, alone.
std::string ReproLine(const Contract& op, const Check& check);

}  // namespace xdna::ops

#endif  // OPS_VERIFY_H_
