// The design of gelu: n values of x and y in ping-pong.
#ifndef KERNELS_GELU_GELU_DESIGN_H_
#define KERNELS_GELU_GELU_DESIGN_H_

#include <cstddef>

#include "kernels/common/row_design.h"
#include "kernels/gelu/gelu_table.h"

namespace xdna::kernels {

// gelu_bf16.
inline Design GeluDesign(std::size_t n, CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign("gelu", {"gelu_bf16", {n}},
                   {Stream("x", true, 0, 2 * n), Stream("y", false, 0, 2 * n)}, {}, generator);
}

// gelu_table_bf16, with its table.
inline Design GeluTableDesign(std::size_t n, CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign("gelu table", {"gelu_table_bf16", {n}},
                   {Stream("x", true, 0, 2 * n), Stream("y", false, 0, 2 * n)},
                   {{"GELU table", sizeof(GeluTable)}}, generator);
}

// gelu_stock_bf16, with the tanh table twice.
inline Design GeluStockDesign(std::size_t n, CodeGenerator generator = CodeGenerator::kChess) {
  return RowDesign("gelu stock", {"gelu_stock_bf16", {n}},
                   {Stream("x", true, 0, 2 * n), Stream("y", false, 0, 2 * n)},
                   {{"tanh table", 1024}}, generator);
}

}  // namespace xdna::kernels

#endif  // KERNELS_GELU_GELU_DESIGN_H_
