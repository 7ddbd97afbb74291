// Tolerances and verdicts: when a result counts as right, and what is said when
// it does not.
//
// A tolerance states every criterion that must hold, and where each limit comes
// from. The criteria see different faults: an element-wise bound sees one wrong
// value, the relative L2 error sees many slightly wrong ones, the bias sees a
// rounding mode that is off (truncation or floor shifts the mean by half a unit in
// the last place where rounding to nearest shifts it by nothing).
#ifndef GOLDEN_COMPARE_H_
#define GOLDEN_COMPARE_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/tensor.h"

namespace xdna::golden {

inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();

struct Tolerance {
  // |got - want| <= absolute + relative * |want| + magnitude * scale, for each
  // element. `scale` is the golden's own tensor of magnitudes, for a sum of
  // products sum |a_k b_k|: what the rounding errors of its terms are relative to.
  double absolute = 0;
  double relative = 0;
  double magnitude = 0;
  // ||got - want||_2 / ||want||_2, over the whole tensor.
  double rel_l2 = kNoLimit;
  // Cosine of the angle between got and want, over the whole tensor; at least.
  double cosine = -1;
  // |sum (got - want)| / sum |want| and the same towards zero,
  // |sum (got - want) sign(want)| / sum |want|; at most. Judged on 256 elements or
  // more.
  double bias = kNoLimit;
  // Why these limits: a derivation, a paper, a measurement with its date.
  std::string provenance;

  static Tolerance Exact(std::string provenance);  // all element-wise limits zero
};

enum class Status {
  kPassed,
  kFailed,
  kMistrusted,   // compared, but the data could not have shown a fault
  kSkipped,      // not run, and why
  kUnsupported,  // can't run on this device or in this precision, and why
};

const char* StatusName(Status status);  // "passed", ...

struct Verdict {
  Status status = Status::kSkipped;
  std::string reason;  // one line; for "passed", which criterion was closest
  // The largest error divided by its limit, over all criteria: 0 is perfect, 1 is
  // the limit. NaN if nothing was compared.
  double used = std::numeric_limits<double>::quiet_NaN();
  // What was measured.
  double max_abs = 0;
  double rel_l2 = 0;
  double cosine = 1;
  double bias = 0;
  // The first element (row-major) beyond the element-wise limit.
  std::optional<Shape> first_bad;
  double got = 0;
  double want = 0;
  double limit = 0;
  std::int64_t bad = 0;       // elements beyond the element-wise limit
  std::int64_t compared = 0;  // elements compared

  bool passed() const { return status == Status::kPassed; }
  // 1 - used, in percent: what is left before the verdict turns.
  double headroom_percent() const { return 100 * (1 - used); }

  static Verdict Skipped(std::string reason);
  static Verdict Unsupported(std::string reason);
};

// Compares `got` (f32, f64 or bf16) with `want` (f32 or f64), both contiguous and
// of one shape; another shape is a failure, not an error. Non-finite results fail
// unless `want` has the same non-finite value there. All elements are looked at.
// Mistrusted when `want` is empty, has more than `max_zeros` zeros, or is constant
// along every axis: such data passes a broken op. Throws kInvalidArgument if the
// tolerance has a `magnitude` and `scale` is missing or of another shape, and
// kInternal for views that are not contiguous or of another dtype.
Verdict Compare(const TensorView& got, const TensorView& want, const Tolerance& tolerance,
                const TensorView& scale = {}, double max_zeros = 0.9);

// "passed", or "failed at [3,17]: got 1.5, want -1.5, limit 2e-3; 12 of 768000
// elements beyond; rel-L2 ..." for people and logs.
std::string Describe(const Verdict& verdict);

// Distance in units in the last place between two f32, 0 for equal values and for
// +0 and -0; the largest value if one is NaN.
std::uint32_t UlpDistance(float a, float b);

}  // namespace xdna::golden

#endif  // GOLDEN_COMPARE_H_
