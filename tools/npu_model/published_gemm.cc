// Products over the whole array that others timed.
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "tools/npu_model/gemm_model.h"
#include "tools/npu_model/published.h"
#include "tools/npu_model/published_internal.h"

namespace xdna::model {
namespace {

using Kind = Figure::Kind;
using enum Figure::Role;
using internal::k8700g;
using internal::kGemm25;
using internal::kSilicon;
using internal::kWhisperXdna;

struct Sizes {
  std::size_t m, k, n;
};

std::string Text(const Sizes& s) {
  return std::to_string(s.m) + "x" + std::to_string(s.k) + "x" + std::to_string(s.n);
}

Figure GemmRow(const char* source, double tops, Figure::Role role, GemmQuery query,
               std::string why_not = {}) {
  query.find_bound = false;
  std::string name = query.in + "-" + query.out + " " + Text({query.m, query.k, query.n}) +
                     ", tile " + Text({query.tile_m, query.tile_k, query.tile_n});
  if (query.k_mem != 0 && query.b_layout == "columns")
    name += ", k_mt " + std::to_string(query.k_mem);
  if (query.buffers == "double" && query.b_layout == "columns") name += ", two of C";
  return {.kind = Kind::kGemm,
          .name = std::move(name),
          .source = source,
          .unit = "TOPS",
          .value = tops,
          .model = [query] { return PredictGemm(query).tops.value_or(0); },
          .role = role,
          .why_not = std::move(why_not)};
}

// Table 2 and the text around it.
Figure Gemm25(const char* in, const char* out, Sizes tile, std::size_t k_mem, Sizes size,
              double tops, Figure::Role role = kPredicted, const char* buffers = "single",
              const char* why_not = "") {
  return GemmRow(kGemm25, tops, role,
                 {.preset = "phx-1.0",
                  .in = in,
                  .out = out,
                  .m = size.m,
                  .k = size.k,
                  .n = size.n,
                  .tile_m = tile.m,
                  .tile_k = tile.k,
                  .tile_n = tile.n,
                  .codegen = "chess",
                  .buffers = buffers,
                  .accumulate = "output",
                  .b_layout = "columns",
                  .k_mem = k_mem},
                 why_not);
}

// whole_array.py: B row-major, one step of k in a memory tile, C as its type says.
Figure WholeArray(const char* in, const char* out, Sizes tile, const char* buffers, Sizes size,
                  double tops, Figure::Role role = kPredicted, const char* why_not = "") {
  return GemmRow(kSilicon, tops, role,
                 {.preset = k8700g,
                  .in = in,
                  .out = out,
                  .m = size.m,
                  .k = size.k,
                  .n = size.n,
                  .tile_m = tile.m,
                  .tile_k = tile.k,
                  .tile_n = tile.n,
                  .codegen = "peano",
                  .buffers = buffers,
                  .accumulate = "output",
                  .b_layout = "rows",
                  .k_mem = tile.k},
                 why_not);
}

Figure HawkPoint(Sizes tile, std::size_t k_mem, Sizes size, double tops, const char* why_not = "") {
  return GemmRow(kWhisperXdna, tops, kPredicted,
                 {.preset = "hpt-1.6",
                  .in = "bf16",
                  .out = "f32",
                  .m = size.m,
                  .k = size.k,
                  .n = size.n,
                  .tile_m = tile.m,
                  .tile_k = tile.k,
                  .tile_n = tile.n,
                  .codegen = "peano",
                  .host = "pyxrt",
                  .b_layout = "rows",
                  .k_mem = k_mem},
                 why_not);
}

constexpr char kShortRuns[] =
    "a run of up to 256 bytes holds its own channel up for some 33 cycles beyond its words; the "
    "model's bus takes a lesser loss from all channels' shared bandwidth";

}  // namespace

void internal::AddGemm(std::vector<Figure>& all) {
  for (Figure& row : std::vector<Figure>{
           Gemm25("bf16", "bf16", {96, 56, 96}, 224, {4224, 4032, 4224}, 3.12, kFitted),
           Gemm25("bf16", "bf16", {96, 48, 112}, 192, {4224, 4032, 4032}, 3.02),
           Gemm25("int8", "int8", {112, 112, 112}, 448, {4032, 4032, 4032}, 6.52),
           Gemm25("int8", "int8", {112, 104, 128}, 416, {4032, 4160, 4096}, 6.48),
           Gemm25("int8", "int16", {96, 112, 96}, 448, {4224, 4032, 4224}, 5.85),
           Gemm25("int8", "int16", {80, 104, 128}, 416, {4160, 4160, 4096}, 5.75),
           Gemm25("int8", "int32", {80, 88, 96}, 352, {4160, 4224, 4224}, 4.42),
           Gemm25("int8", "int32", {64, 80, 128}, 320, {4096, 4160, 4096}, 4.09),
           // "Up to", of sizes to 8K: the largest that need no padding are taken.
           Gemm25("int8", "int8", {112, 112, 112}, 448, {8064, 8064, 8064}, 6.76),
           Gemm25("int8", "int16", {96, 112, 96}, 448, {8064, 8064, 8064}, 6.05),
           Gemm25("int8", "int32", {80, 88, 96}, 352, {8000, 8096, 8064}, 4.57),
           Gemm25("bf16", "bf16", {96, 56, 96}, 224, {8064, 8064, 8064}, 3.14),
           // The best tile of one core starves here; "~4K".
           Gemm25("int8", "int16", {64, 216, 64}, 432, {4096, 4320, 4096}, 4.03, kFitted),
           Gemm25("bf16", "bf16", {80, 40, 96}, 200, {4160, 4000, 4224}, 2.76, kPredicted,
                  "double"),
           Gemm25("bf16", "bf16", {96, 56, 96}, 56, {4224, 4032, 4224}, 1.27, kPredicted, "single",
                  "runs of 112 bytes that begin within a line of 64: 135 cycles each, where "
                  "a row-major B of as short ones was only 5 % slower; no known rule fits both"),

           WholeArray("bf16", "bf16", {64, 64, 32}, "double", {1024, 1024, 1024}, 2.07254),
           WholeArray("bf16", "f32", {64, 64, 32}, "double", {2048, 2048, 2048}, 1.77565, kFitted),
           WholeArray("bf16", "f32", {64, 64, 32}, "double", {2048, 4096, 4096}, 1.80118),
           WholeArray("bf16", "f32", {64, 64, 32}, "double", {4096, 2048, 2048}, 1.84696),
           WholeArray("bf16", "f32", {64, 64, 64}, "single", {2048, 2048, 2048}, 2.47723, kFitted),
           WholeArray("bf16", "f32", {64, 64, 64}, "single", {2048, 4096, 4096}, 2.64141),
           WholeArray("bf16", "f32", {128, 64, 32}, "single", {2048, 2048, 2048}, 2.13609),
           WholeArray("bf16", "f32", {32, 64, 128}, "single", {2048, 2048, 2048}, 2.49461),
           WholeArray("bf16", "f32", {32, 64, 128}, "single", {2048, 4096, 4096}, 2.70044),
           WholeArray("bf16", "f32", {128, 32, 64}, "single", {2048, 2048, 2048}, 2.07087),
           WholeArray("bf16", "f32", {64, 32, 128}, "single", {2048, 2048, 2048}, 2.14676),
           WholeArray("bf16", "f32", {16, 64, 64}, "double", {2048, 4096, 11008}, 0.90997,
                      kPredicted, kShortRuns),
           WholeArray("bf16", "f32", {16, 64, 128}, "double", {2048, 4096, 14336}, 1.45437),
           WholeArray("int8", "int32", {64, 64, 64}, "double", {4096, 2048, 2048}, 4.60705),
           WholeArray("int8", "int32", {64, 64, 32}, "double", {4096, 2048, 2048}, 2.38701,
                      kPredicted, kShortRuns),
           // "Tuned", tile not published: one that divides N, and long runs of A.
           HawkPoint({64, 64, 32}, 256, {1536, 1536, 384}, 1.76),
           HawkPoint({32, 64, 64}, 64, {1536, 64, 1536}, 0.386, kShortRuns),
       }) {
    all.push_back(std::move(row));
  }
}

}  // namespace xdna::model
