// Products with weights of a mixed schedule: on the array in bf16 or int8, or on the CPU in f32.
#ifndef ENCODER_MIXED_PRODUCTS_H_
#define ENCODER_MIXED_PRODUCTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "encoder/mixed/workbench.h"
#include "encoder/schedule.h"

namespace xdna::encoder::mixed {

struct LinearWeights {
  std::string name;
  Tensor w, b;                          // [n,k], [n], f32
  std::map<std::string, Value> packed;  // by design
};

class Products {
 public:
  explicit Products(Workbench& bench) : bench_(bench) {}

  // Made by `make` the first time.
  LinearWeights& Weights(const std::string& name, const std::function<LinearWeights()>& make);
  // One of several of the model's, one after the other. gamma and beta of the normalisation `norm`
  // before it are folded in where the schedule's kernel leaves them out; empty: none.
  LinearWeights LoadLinear(const std::vector<std::string>& names, const std::string& norm) const;
  LinearWeights LoadConvolution(const std::string& name) const;

  // y = x W^T + b, then GELU if `gelu`, at that place; with `int8` in int8 where the schedule asks
  // for it.
  void Product(Place place, Value& x, LinearWeights& w, Value& y, bool gelu, bool int8);
  // The stem's: rows of three frames, `stride` values apart; into y from row `first` on, with GELU.
  void Convolve(Value& x, std::size_t stride, std::int64_t rows, LinearWeights& w, Value& y,
                std::int64_t first);

 private:
  void CpuLinear(Value& x, LinearWeights& w, Value& y, bool gelu);
  void NpuLinear(Value& x, std::size_t stride, std::int64_t m, LinearWeights& w, Value& y,
                 std::size_t y_offset, bool gelu);
  void Int8Linear(Value& x, LinearWeights& w, Value& y, bool gelu);

  Workbench& bench_;
  std::map<std::string, LinearWeights> weights_;
};

}  // namespace xdna::encoder::mixed

#endif  // ENCODER_MIXED_PRODUCTS_H_
