// A kernel beside softmax(Q K^T / sqrt(width)) V in float64.
#ifndef OPS_ATTENTION_ATTENTION_KERNEL_TESTING_H_
#define OPS_ATTENTION_ATTENTION_KERNEL_TESTING_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "base/tensor.h"
#include "ops/attention/attention_kernel.h"

namespace xdna::ops {

// Q, K and V of one head side by side, as the product that makes them leaves them; beside them
// lies what no kernel may read: NaN.
struct TestHead {
  TestHead(std::size_t queries, std::size_t keys, std::size_t width, DType dtype, float magnitude)
      : rows(queries), head{keys, width, 3 * width + 5} {
    const std::size_t longest = std::max(queries, keys);
    const Tensor f32(DType::kF32,
                     {static_cast<std::int64_t>(longest), static_cast<std::int64_t>(head.stride)});
    std::fill_n(f32.data<float>(), f32.size(), std::nanf(""));
    for (std::size_t i = 0; i < longest; ++i) {
      for (std::size_t j = 0; j < 3 * width; ++j) {
        const bool real = i < (j < width ? queries : keys);
        if (real)
          At(f32, i, j) = magnitude * static_cast<float>(SeededNormal(7, i * 3 * width + j));
      }
    }
    operands = f32.To(dtype);
  }

  float& At(const Tensor& t, std::size_t i, std::size_t j) const {
    return t.data<float>()[i * head.stride + j];
  }
  const void* Part(std::size_t part) const {
    return static_cast<const std::byte*>(operands.view().raw()) +
           part * head.width * SizeOf(operands.dtype());
  }

  std::vector<double> Reference() const {
    const Tensor x = operands.To(DType::kF32);
    std::vector<double> y(rows * head.width);
    std::vector<double> p(head.keys);
    for (std::size_t i = 0; i < rows; ++i) {
      double top = -INFINITY;
      for (std::size_t j = 0; j < head.keys; ++j) {
        p[j] = 0;
        for (std::size_t c = 0; c < head.width; ++c) {
          p[j] += static_cast<double>(At(x, i, c)) * At(x, j, head.width + c);
        }
        p[j] /= std::sqrt(static_cast<double>(head.width));
        top = std::max(top, p[j]);
      }
      double sum = 0;
      for (double& value : p) sum += value = std::exp(value - top);
      for (std::size_t c = 0; c < head.width; ++c) {
        for (std::size_t j = 0; j < head.keys; ++j) {
          y[i * head.width + c] += p[j] / sum * At(x, j, 2 * head.width + c);
        }
      }
    }
    return y;
  }

  std::vector<float> Run(const AttentionKernel& kernel) const {
    const auto size = [](std::size_t n) { return Shape{static_cast<std::int64_t>(n)}; };
    const Tensor k(DType::kU8, size(kernel.packed_k_bytes(head)));
    const Tensor v(DType::kU8, size(kernel.packed_v_bytes(head)));
    const Tensor scratch(DType::kU8, size(kernel.scratch_bytes(head)));
    for (const Tensor* t : {&k, &v, &scratch}) {
      std::fill_n(t->data<std::uint8_t>(), t->size(), 0xFF);  // NaN, should it be read
    }
    kernel.pack_k(head, Part(1), k.view().raw());
    kernel.pack_v(head, Part(2), v.view().raw());
    const DType dtype = operands.dtype();
    const std::size_t stride = head.width + 3;
    const Tensor y(dtype, {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(stride)});
    for (std::size_t first = 0; first < rows; first += kernel.rows) {
      AttentionQueries queries;
      queries.q = static_cast<const std::byte*>(Part(0)) + first * head.stride * SizeOf(dtype);
      queries.rows = std::min(kernel.rows, rows - first);
      queries.packed_k = k.view().raw();
      queries.packed_v = v.view().raw();
      queries.scratch = scratch.view().raw();
      queries.y = static_cast<std::byte*>(y.view().raw()) + first * stride * SizeOf(dtype);
      queries.y_stride = stride;
      kernel.run(head, queries);
    }
    const Tensor f32 = y.To(DType::kF32);
    std::vector<float> result;
    for (std::size_t i = 0; i < rows; ++i) {
      const float* row = f32.data<float>() + i * stride;
      result.insert(result.end(), row, row + head.width);
      for (std::size_t j = head.width; j < stride; ++j) {
        if (row[j] != 0) result.front() = std::nanf("");  // written beyond the head
      }
    }
    return result;
  }

  std::size_t rows;
  AttentionHead head;
  Tensor operands;  // [longest, stride]
};

// ||a - b|| / ||b||; NaN where there is one.
inline double RelativeL2(const std::vector<float>& a, const std::vector<double>& b) {
  double error = 0;
  double norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    error += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(error / norm);
}

struct TestShape {
  std::size_t queries, keys, width;
};
// Whole blocks and panels, and one more or less; heads narrower and wider than a panel.
inline constexpr TestShape kTestShapes[] = {
    {1, 1, 64},   {7, 7, 64},  {1, 513, 64}, {61, 64, 64},  {65, 100, 64}, {33, 257, 64},
    {13, 30, 16}, {6, 65, 32}, {5, 40, 80},  {9, 1030, 64}, {3, 11, 1},    {4, 70, 129}};

}  // namespace xdna::ops

#endif  // OPS_ATTENTION_ATTENTION_KERNEL_TESTING_H_
