// Every figure that others published about this NPU's time, and the model beside it.
#ifndef TOOLS_NPU_MODEL_PUBLISHED_H_
#define TOOLS_NPU_MODEL_PUBLISHED_H_

#include <functional>
#include <string>
#include <vector>

namespace xdna::model {

struct Figure {
  enum class Kind { kGemm, kBandwidth, kDispatch };
  // What the row is to the model: a constant was set so that it comes out, or nothing was.
  enum class Role { kFitted, kPredicted };
  Kind kind = Kind::kGemm;
  std::string name;
  std::string source;
  std::string unit;
  double value = 0;                    // published
  std::function<double()> model = {};  // none: the model has no answer, and `why_not` says why
  Role role = Role::kPredicted;
  std::string why_not;  // of a row outside the bounds: what is missing; "": within
};
const std::vector<Figure>& Figures();

struct FigureResult {
  const Figure* figure = nullptr;
  double model = 0;
  double error_percent() const { return 100 * (model / figure->value - 1); }
};
// Of all figures that the model answers, in their order.
std::vector<FigureResult> EvaluateFigures();

// Of the rows of some kind that are not excused: sizes of errors, in percent.
struct Accuracy {
  int rows = 0;
  double median = 0;
  double worst = 0;
  std::string worst_name;
};
Accuracy AccuracyOf(const std::vector<FigureResult>& results,
                    const std::vector<Figure::Kind>& kinds);

// What was aimed for: GEMM and bandwidth together, and dispatch.
inline constexpr double kMedianPercent = 10;
inline constexpr double kWorstPercent = 15;
inline constexpr double kWorstDispatchPercent = 20;

}  // namespace xdna::model

#endif  // TOOLS_NPU_MODEL_PUBLISHED_H_
