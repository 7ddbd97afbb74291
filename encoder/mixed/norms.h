// Normalisations and residual sums of a mixed schedule.
#ifndef ENCODER_MIXED_NORMS_H_
#define ENCODER_MIXED_NORMS_H_

#include <string>

#include "encoder/mixed/workbench.h"

namespace xdna::encoder::mixed {

class Norms {
 public:
  explicit Norms(Workbench& bench) : bench_(bench) {}

  // y = the normalisation of x with the weights of that name, in dispatches of the schedule's rows.
  void Norm(Value& x, const std::string& weights, Value& y);
  // stream += delta, on the CPU.
  void Residual(Value& stream, Value& delta);
  // stream + delta, which is returned, and y = the normalisation of it, in one pass over device
  // memory. gamma and beta follow in the weights, or by ScaleByHost().
  Value& FusedNorm(Value& stream, Value& delta, Value& y);
  void ScaleByHost(Value& x, const std::string& weights, Value& y);

 private:
  Workbench& bench_;
};

}  // namespace xdna::encoder::mixed

#endif  // ENCODER_MIXED_NORMS_H_
