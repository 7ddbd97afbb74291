// The heads of a mixed schedule's attention: scores, softmax, and their product with V.
#ifndef ENCODER_MIXED_HEADS_H_
#define ENCODER_MIXED_HEADS_H_

#include <cstddef>
#include <cstdint>

#include "encoder/mixed/workbench.h"
#include "kernels/array/gemm.h"
#include "kernels/array/rows.h"

namespace xdna::encoder::mixed {

class Heads {
 public:
  explicit Heads(Workbench& bench) : bench_(bench) {}

  // qkv [positions, 3 d] -> attended [positions, d], all heads, in the schedule's form.
  void Attend(Value& qkv, Value& attended);

 private:
  // Of one head: scores [m,m] of q [m,64] and k^T [64,m], softmax, and the product with v [m,64].
  struct Designs {
    kernels::GemmConfig scores, values;
    kernels::GemmProblem scores_problem, values_problem;
    kernels::RowsConfig softmax;
    std::size_t width = 0;  // of a row of scores in memory
  };
  Designs MakeDesigns(std::size_t q_stride) const;

  void ByHost(Value& qkv, Value& attended);
  void Chained(Value& qkv, Value& attended);
  void Fused(Value& qkv, Value& attended);

  void Scores(const Designs& h, Value& q, std::size_t q_offset, Value& kt, Value& scores);
  void Softmax(const Designs& h, Value& scores, Value& weights);
  void Values(const Designs& h, Value& weights, Value& v, std::size_t v_offset, Value& y,
              std::size_t y_offset);
  Value& ScoresValue(const Designs& h, const char* name);
  // Part `part` (Q, K, V) of a head, f32, transposed or not.
  void TakeHead(const Value& qkv, std::int64_t part, std::int64_t head, bool turned, Value& to);

  Workbench& bench_;
};

}  // namespace xdna::encoder::mixed

#endif  // ENCODER_MIXED_HEADS_H_
