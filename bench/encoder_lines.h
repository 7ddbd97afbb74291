// Lines of the encoder's reports: with a synthetic model every one says so.
#ifndef BENCH_ENCODER_LINES_H_
#define BENCH_ENCODER_LINES_H_

#include <fmt/format.h>

#include <sstream>
#include <string>
#include <utility>

#include "bench/encoder_measure.h"
#include "ops/contract.h"

namespace xdna::bench {

class Lines {
 public:
  explicit Lines(bool synthetic) : mark_(synthetic ? "SYNTHETIC WEIGHTS | " : "") {}
  explicit Lines(const EncoderJob& job) : Lines(job.chosen.synthetic) {}

  template <typename... Args>
  void operator()(fmt::format_string<Args...> format, Args&&... args) {
    std::istringstream text(fmt::format(format, std::forward<Args>(args)...));
    bool any = false;
    for (std::string line; std::getline(text, line); any = true) text_ += mark_ + line + "\n";
    if (!any) text_ += mark_ + "\n";
  }
  std::string Take() { return std::exchange(text_, {}); }

 private:
  std::string mark_, text_;
};

// "bf16", "f32/eigen".
inline std::string VariantTitle(const ops::Variant& variant) {
  const std::string precision = ops::PrecisionName(variant.precision);
  return variant.backend == ops::Backend::kFast
             ? precision
             : fmt::format("{}/{}", precision, ops::BackendName(variant.backend));
}

// "0.12x", "365x".
inline std::string TimesRealTime(double rtf) {
  return rtf < 10 ? fmt::format("{:.2f}x", rtf) : fmt::format("{:.0f}x", rtf);
}

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_LINES_H_
