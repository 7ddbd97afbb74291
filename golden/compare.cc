#include "golden/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/bf16.h"
#include "base/error.h"
#include "base/tensor.h"

namespace xdna::golden {
namespace {

constexpr std::int64_t kBlock = 1024;     // elements widened at a time
constexpr std::int64_t kBiasNeeds = 256;  // elements; a mean over fewer is mostly chance
constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <typename T>
void Widen(const T* from, std::int64_t n, double* to) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<double>(from[i]);
}

// Elements [begin, begin + n) of `view` as f64.
void Load(const TensorView& view, std::int64_t begin, std::int64_t n, double* to) {
  switch (view.dtype()) {
    case DType::kF32:
      return Widen(view.data<const float>() + begin, n, to);
    case DType::kF64:
      return Widen(view.data<const double>() + begin, n, to);
    case DType::kBf16: {
      const Bf16* from = view.data<const Bf16>() + begin;
      for (std::int64_t i = 0; i < n; ++i) to[i] = from[i].ToFloat();
      return;
    }
    default:
      Throw(ErrorCode::kInternal, "comparison of a tensor of {}", DTypeName(view.dtype()));
  }
}

// What one pass over all elements gathers. Sums are over elements finite on both sides.
struct Sums {
  double diff_squared = 0;
  double want_squared = 0;
  double got_squared = 0;
  double product = 0;
  double diff = 0;
  double outward = 0;  // (got - want) sign(want): negative where magnitudes shrink
  double want_abs = 0;
  double max_abs = 0;
  double element_used = 0;
  std::int64_t zeros = 0;
  std::int64_t finite = 0;
  std::int64_t bad = 0;
  std::int64_t first_bad = -1;
  double first_got = 0;
  double first_want = 0;
  double first_limit = 0;
  bool constant = true;

  void Bad(std::int64_t index, double got, double want, double limit) {
    if (bad++ != 0) return;
    first_bad = index;
    first_got = got;
    first_want = want;
    first_limit = limit;
  }
};

bool SameNonFinite(double got, double want) {
  return got == want || (std::isnan(got) && std::isnan(want));
}

void Add(double got, double want, double limit, std::int64_t index, Sums& sums) {
  if (!std::isfinite(want) || !std::isfinite(got)) {
    if (SameNonFinite(got, want)) return;
    sums.element_used = kInfinity;
    sums.max_abs = kInfinity;
    sums.Bad(index, got, want, limit);
    return;
  }
  const double diff = got - want;
  const double error = std::abs(diff);
  ++sums.finite;
  sums.diff_squared += diff * diff;
  sums.want_squared += want * want;
  sums.got_squared += got * got;
  sums.product += got * want;
  sums.diff += diff;
  sums.outward += want > 0 ? diff : (want < 0 ? -diff : 0);
  sums.want_abs += std::abs(want);
  sums.max_abs = std::max(sums.max_abs, error);
  if (error != 0) sums.element_used = std::max(sums.element_used, error / limit);
  if (!(error <= limit)) sums.Bad(index, got, want, limit);  // a NaN limit admits nothing
}

Sums Gather(const TensorView& got, const TensorView& want, const Tolerance& tolerance,
            const TensorView& scale) {
  Sums sums;
  std::vector<double> buffer(3 * kBlock, 0.0);
  double* g = buffer.data();
  double* w = g + kBlock;
  double* s = w + kBlock;
  double first = 0;
  for (std::int64_t begin = 0; begin < want.size(); begin += kBlock) {
    const std::int64_t n = std::min(kBlock, want.size() - begin);
    Load(got, begin, n, g);
    Load(want, begin, n, w);
    if (tolerance.magnitude != 0) Load(scale, begin, n, s);
    if (begin == 0) first = w[0];
    for (std::int64_t i = 0; i < n; ++i) {
      const double limit =
          tolerance.absolute + tolerance.relative * std::abs(w[i]) + tolerance.magnitude * s[i];
      Add(g[i], w[i], limit, begin + i, sums);
      sums.zeros += w[i] == 0 ? 1 : 0;
      sums.constant = sums.constant && (w[i] == first || (w[i] != w[i] && first != first));
    }
  }
  return sums;
}

// part / whole; 0 of nothing is 0, anything else of nothing is infinite.
double Ratio(double part, double whole) {
  if (part == 0) return 0;
  return whole == 0 ? kInfinity : part / whole;
}

double RelL2(const Sums& sums) {
  // Differences too small to square are still differences.
  if (sums.diff_squared == 0 && sums.max_abs != 0) return kInfinity;
  return Ratio(std::sqrt(sums.diff_squared), std::sqrt(sums.want_squared));
}

double Cosine(const Sums& sums) {
  if (sums.got_squared == 0 && sums.want_squared == 0) return 1;
  if (sums.got_squared == 0 || sums.want_squared == 0) return 0;
  return sums.product / std::sqrt(sums.got_squared * sums.want_squared);
}

double Bias(const Sums& sums) {
  return Ratio(std::max(std::abs(sums.diff), std::abs(sums.outward)), sums.want_abs);
}

Shape Coordinate(std::int64_t index, const Shape& shape) {
  Shape at(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    at[axis] = index % shape[axis];
    index /= shape[axis];
  }
  return at;
}

struct Criterion {
  const char* name;
  double value;
  double limit;
  double used;
  bool met;
};

std::vector<Criterion> Judge(const Sums& sums, const Tolerance& tolerance, const Verdict& v) {
  std::vector<Criterion> criteria = {
      {"element-wise error", v.max_abs, sums.first_limit, sums.element_used, sums.bad == 0}};
  const auto add = [&](const char* name, double value, double limit) {
    criteria.push_back({name, value, limit, Ratio(value, limit), value <= limit});
  };
  if (tolerance.rel_l2 != kNoLimit) add("rel-L2", v.rel_l2, tolerance.rel_l2);
  if (tolerance.cosine != -1) {
    const double allowed = 1 - tolerance.cosine;
    criteria.push_back({"cosine", v.cosine, tolerance.cosine,
                        Ratio(std::max(0.0, 1 - v.cosine), allowed), v.cosine >= tolerance.cosine});
  }
  if (tolerance.bias != kNoLimit && v.compared >= kBiasNeeds) {
    add("bias", v.bias, tolerance.bias);
  }
  return criteria;
}

std::string FailureReason(const std::vector<Criterion>& criteria, const Verdict& v) {
  std::vector<std::string> parts;
  for (const Criterion& c : criteria) {
    if (c.met) continue;
    if (&c == criteria.data()) {
      parts.push_back(fmt::format("{} of {} elements beyond their limit", v.bad, v.compared));
    } else {
      parts.push_back(fmt::format("{} {:.6g}, limit {:.6g}", c.name, c.value, c.limit));
    }
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

// Why a pass on this data means nothing; empty if it does.
std::string Doubt(const Sums& sums, std::int64_t n, double max_zeros) {
  const double zeros = static_cast<double>(sums.zeros) / static_cast<double>(n);
  if (sums.constant) return "the expected values are all the same";
  if (sums.finite == 0) return "no expected value is finite";
  if (zeros > max_zeros) {
    return fmt::format("{:.1f} % of the expected values are zero, more than {:.1f} %", 100 * zeros,
                       100 * max_zeros);
  }
  return "";
}

Verdict Ended(Status status, std::string reason) {
  Verdict verdict;
  verdict.status = status;
  verdict.reason = std::move(reason);
  return verdict;
}

// A mistake of the caller, not a result.
void CheckCall(const TensorView& got, const TensorView& want, const Tolerance& tolerance,
               const TensorView& scale) {
  if (!got.contiguous() || !want.contiguous() || !scale.contiguous()) {
    Throw(ErrorCode::kInternal, "comparison of a tensor that is not contiguous");
  }
  if (tolerance.magnitude == 0) return;
  if (scale.empty()) {
    Throw(ErrorCode::kInvalidArgument,
          "the tolerance is relative to magnitudes, but the golden "
          "has no scale tensor");
  }
  if (scale.shape() != want.shape()) {
    Throw(ErrorCode::kInvalidArgument, "scale tensor of shape {} for a result of shape {}",
          ShapeString(scale.shape()), ShapeString(want.shape()));
  }
}

}  // namespace

Tolerance Tolerance::Exact(std::string provenance) {
  Tolerance tolerance;
  tolerance.provenance = std::move(provenance);
  return tolerance;
}

const char* StatusName(Status status) {
  switch (status) {
    case Status::kPassed:
      return "passed";
    case Status::kFailed:
      return "failed";
    case Status::kMistrusted:
      return "mistrusted";
    case Status::kSkipped:
      return "skipped";
    case Status::kUnsupported:
      return "unsupported";
  }
  return "?";
}

Verdict Verdict::Skipped(std::string reason) { return Ended(Status::kSkipped, std::move(reason)); }

Verdict Verdict::Unsupported(std::string reason) {
  return Ended(Status::kUnsupported, std::move(reason));
}

Verdict Compare(const TensorView& got, const TensorView& want, const Tolerance& tolerance,
                const TensorView& scale, double max_zeros) {
  if (want.empty()) return Ended(Status::kMistrusted, "nothing is expected");
  if (got.empty()) return Ended(Status::kFailed, "there is no result");
  if (got.shape() != want.shape()) {
    return Ended(Status::kFailed, fmt::format("shape {}, expected {}", ShapeString(got.shape()),
                                              ShapeString(want.shape())));
  }
  if (want.size() == 0) return Ended(Status::kMistrusted, "the expected tensor has no elements");
  CheckCall(got, want, tolerance, scale);

  const Sums sums = Gather(got, want, tolerance, scale);
  Verdict v;
  v.compared = want.size();
  v.bad = sums.bad;
  v.max_abs = sums.max_abs;
  v.rel_l2 = RelL2(sums);
  v.cosine = Cosine(sums);
  v.bias = Bias(sums);
  if (sums.bad != 0) {
    v.first_bad = Coordinate(sums.first_bad, want.shape());
    v.got = sums.first_got;
    v.want = sums.first_want;
    v.limit = sums.first_limit;
  }
  const std::vector<Criterion> criteria = Judge(sums, tolerance, v);
  const auto closest =
      std::max_element(criteria.begin(), criteria.end(),
                       [](const Criterion& a, const Criterion& b) { return a.used < b.used; });
  v.used = closest->used;
  if (!std::all_of(criteria.begin(), criteria.end(), [](const Criterion& c) { return c.met; })) {
    v.status = Status::kFailed;
    v.reason = FailureReason(criteria, v);
    if (!(v.used >= 1)) v.used = kInfinity;  // limits that are negative or no number
  } else if (v.reason = Doubt(sums, v.compared, max_zeros); !v.reason.empty()) {
    v.status = Status::kMistrusted;
  } else {
    v.status = Status::kPassed;
    v.reason = fmt::format("{} is closest to its limit: {:.1f} % of it", closest->name,
                           100 * closest->used);
  }
  return v;
}

std::string Describe(const Verdict& v) {
  if (v.passed()) return fmt::format("passed, {:.1f} % headroom", v.headroom_percent());
  if (v.status != Status::kFailed || v.compared == 0) {
    return fmt::format("{}: {}", StatusName(v.status), v.reason);
  }
  const std::string at = !v.first_bad
                             ? ""
                             : fmt::format(" at {}: got {:.9g}, want {:.9g}, limit {:.3g}",
                                           ShapeString(*v.first_bad), v.got, v.want, v.limit);
  return fmt::format("failed{}; {} (max-abs {:.3g}, rel-L2 {:.3g}, cosine {:.6f}, bias {:.3g})", at,
                     v.reason, v.max_abs, v.rel_l2, v.cosine, v.bias);
}

std::uint32_t UlpDistance(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<std::uint32_t>::max();
  // Numbers in the order of the reals, both zeros at 0.
  const auto rank = [](float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const auto magnitude = static_cast<std::int64_t>(bits & 0x7FFFFFFF);
    return (bits >> 31) != 0 ? -magnitude : magnitude;
  };
  return static_cast<std::uint32_t>(std::abs(rank(a) - rank(b)));
}

}  // namespace xdna::golden
