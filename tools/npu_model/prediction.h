// What the time model says about one question.
#ifndef TOOLS_NPU_MODEL_PREDICTION_H_
#define TOOLS_NPU_MODEL_PREDICTION_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xdna::model {

struct Prediction {
  bool fits = true;
  std::string reason;  // of what doesn't fit; then the rest is empty
  double time_us = 0;
  double cycles = 0;                      // of the array's clock; 0: the array takes no part
  std::optional<double> tops;             // 10^12 operations a second, two for each MAC
  std::optional<double> percent_of_peak;  // of 16 cores (gemm) or of the channel (stream)
  std::optional<double> gigabytes_per_s;  // of host memory
  std::optional<double> cycles_per_word;  // of a stream, beyond its start
  bool floating = false;                  // tops are also tflops
  std::string bound;                      // "compute", "dma", "ddr", "dispatch" or "issue"
  std::vector<std::pair<std::string, double>> breakdown_us = {};  // adds up to time_us
  std::vector<std::string> assumptions = {};
};

}  // namespace xdna::model

#endif  // TOOLS_NPU_MODEL_PREDICTION_H_
