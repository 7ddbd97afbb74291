#include "ops/verify.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/program.h"

namespace xdna::ops {

std::string CheckName(const Check& check) {
  return fmt::format("{}/{}/{}", check.case_name, PrecisionName(check.variant.precision),
                     BackendName(check.variant));
}

Check ParseCheck(const Contract& op, const std::string& name) {
  const std::size_t last = name.rfind('/');
  const std::size_t middle =
      last == std::string::npos || last == 0 ? std::string::npos : name.rfind('/', last - 1);
  if (middle == std::string::npos) {
    Throw(ErrorCode::kInvalidArgument, "'{}' is not CASE/PRECISION/BACKEND, e.g. random/bf16/fast",
          name);
  }
  Check check;
  check.case_name = name.substr(0, middle);
  check.variant = op.FindVariant(name.substr(middle + 1, last - middle - 1), name.substr(last + 1));
  return check;
}

std::string GoldenPath(const Contract& op) {
  const std::string file = fmt::format("golden/{}.h5", op.name);
  const std::string path = RunfilePath(file);
  if (path.empty())
    Throw(ErrorCode::kNotFound, "no {} among the runfiles; run this program with bazel", file);
  return path;
}

std::vector<Check> ChecksOf(const Contract& op, const golden::Store& store) {
  std::vector<Check> checks;
  for (const std::string& name : store.CaseNames()) {
    for (const Variant& variant : op.variants) checks.push_back({name, variant});
  }
  return checks;
}

golden::Verdict RunCheck(const Contract& op, const golden::Store& store, const Check& check,
                         const CpuContext& context) {
  const golden::Case golden = store.Load(check.case_name);
  const std::string output(op.output.name);
  const auto want = golden.out.find(output);
  if (want == golden.out.end()) {
    Throw(ErrorCode::kCorrupt, "{}: case {} has no result '{}'", store.path(), check.case_name,
          output);
  }
  std::unique_ptr<Instance> instance;
  try {
    instance = op.make(golden.dims, golden.in, check.variant, context);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    return golden::Verdict::Unsupported(error.message());
  }
  instance->Poison();
  instance->Run();
  const auto scale = golden.scale.find(output);
  return golden::Compare(instance->Output(), want->second,
                         op.tolerance(golden.dims, check.variant, golden.data),
                         scale == golden.scale.end() ? TensorView() : scale->second.view());
}

std::string ReproLine(const Contract& op, const Check& check) {
  return fmt::format("bazel run //bench:{} -- --repro={}", op.name, CheckName(check));
}

}  // namespace xdna::ops
