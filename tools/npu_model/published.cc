#include "tools/npu_model/published.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "device/sim/timing.h"
#include "tools/npu_model/dispatch_model.h"
#include "tools/npu_model/gemm_model.h"
#include "tools/npu_model/published_internal.h"

namespace xdna::model {
namespace {

using Kind = Figure::Kind;
using enum Figure::Role;
using internal::k8700g;
using internal::kGemm25;
using internal::kSilicon;
using internal::kWhisperXdna;

// --- streams and host memory ---------------------------------------------------------------------

Figure Bandwidth(const char* name, const char* source, const char* unit, double value,
                 std::function<double()> model, Figure::Role role) {
  return {.kind = Kind::kBandwidth,
          .name = name,
          .source = source,
          .unit = unit,
          .value = value,
          .model = std::move(model),
          .role = role,
          .why_not = {}};
}

double CyclesPerWord(bool to_array) {
  return PredictStream({.preset = "phx-1.0", .to_array = to_array, .tasks = 8, .words = 16384})
      .cycles_per_word.value_or(0);
}

double CopyRate(std::size_t channels, std::size_t bytes, std::size_t reads) {
  return PredictCopy({.channels = channels, .bytes = bytes, .reads = reads})
      .gigabytes_per_s.value_or(0);
}

void AddBandwidth(std::vector<Figure>& all) {
  constexpr char kEmulator[] = "xdna-emu findings";
  constexpr std::size_t kMib = std::size_t{1} << 20;
  all.push_back(Bandwidth(
      "one shim channel, MM2S", kEmulator, "cycles/word", 1.05, [] { return CyclesPerWord(true); },
      kFitted));
  all.push_back(Bandwidth(
      "one shim channel, S2MM", kEmulator, "cycles/word", 1.00, [] { return CyclesPerWord(false); },
      kFitted));
  all.push_back(Bandwidth(
      "1 channel each way, 32 MB", kSilicon, "GB/s each way", 6.89,
      [] { return CopyRate(1, 32 * kMib, 1); }, kPredicted));
  all.push_back(Bandwidth(
      "4 channels each way, 64 MiB", kSilicon, "GB/s each way", 28.1,
      [] { return CopyRate(4, 64 * kMib, 1); }, kPredicted));
  // GroupNorm of 64 x 301056 B: each of 8 channels reads its part twice and writes it once.
  all.push_back(Bandwidth(
      "8 channels, read twice and written once, 19.27 MB", kSilicon, "GB/s read", 25.9,
      [] { return CopyRate(8, std::size_t{588} * 8 * 4096, 2); }, kFitted));
}

// --- dispatch ------------------------------------------------------------------------------------

Figure DispatchRow(const char* name, const char* source, double us, std::function<double()> model,
                   Figure::Role role, const char* why_not = "") {
  return {.kind = Kind::kDispatch,
          .name = name,
          .source = source,
          .unit = "us",
          .value = us,
          .model = std::move(model),
          .role = role,
          .why_not = why_not};
}

std::function<double()> PerRun(const char* preset, const char* host, const char* mode,
                               std::size_t count) {
  return [=] {
    return PredictDispatch({.preset = preset, .host = host, .mode = mode, .count = count}).time_us /
           static_cast<double>(count);
  };
}

void AddDispatch(std::vector<Figure>& all) {
  const auto add = [&all](Figure figure) { all.push_back(std::move(figure)); };
  add(DispatchRow("C++, one run", kSilicon, 108, PerRun(k8700g, "cpp", "single", 1), kFitted));
  add(DispatchRow("C++, each of a runlist of 64", kSilicon, 36.7,
                  PerRun(k8700g, "cpp", "runlist", 64), kFitted));
  add(DispatchRow("pyxrt, one run", kSilicon, 140, PerRun(k8700g, "pyxrt", "single", 1), kFitted));
  add(DispatchRow("pyxrt, each of a runlist of 64", kSilicon, 36.1,
                  PerRun(k8700g, "pyxrt", "runlist", 64), kPredicted));
  add(DispatchRow("iron.jit, one call", kSilicon, 617, PerRun(k8700g, "iron-jit", "single", 1),
                  kFitted));
  add(DispatchRow("iron.jit, each of 64 batched", kSilicon, 531,
                  PerRun(k8700g, "iron-jit", "runlist", 64), kFitted));
  add(DispatchRow("xrt-smi validate, Ryzen 5 7640U", "RyzenAI-SW issue 142", 110,
                  PerRun("phx-1.0", "cpp", "single", 1), kPredicted));
  add(DispatchRow("xrt-smi validate, npu1, XRT 2.26", "Npu-Embeddings-XDNA1", 100,
                  PerRun("phx-1.0", "cpp", "single", 1), kPredicted));
  add(DispatchRow(
      "512^3 GEMM from pyxrt, 8845HS", kWhisperXdna, 267,
      [] {
        return PredictGemm({.preset = "hpt-1.6",
                            .out = "f32",
                            .m = 512,
                            .k = 512,
                            .n = 512,
                            .codegen = "peano",
                            .host = "pyxrt",
                            .find_bound = false})
            .time_us;
      },
      kPredicted));
  const auto& dispatch = device::FindPreset("hpt-1.6").dispatch;
  add(DispatchRow(
      "switch to another context and back", kWhisperXdna, 2810,
      [&dispatch] { return 2 * dispatch.context_switch_us; }, kFitted));
  add(DispatchRow(
      "context made for each run", kWhisperXdna, 2500,
      [&dispatch] { return dispatch.context_create_us; }, kFitted));
  add(DispatchRow(
      "whole design reconfigured", kGemm25, 3400, [&dispatch] { return dispatch.overlay_load_us; },
      kFitted));
  add(DispatchRow(
      "first run after 10 s idle (121 to 136 ms)", "mlir-aie issue 2944", 128500,
      [] { return PredictIdle({.gap_s = 10}).time_us; }, kFitted));
}

// --- what the model has no answer for
// --------------------------------------------------------------

void AddUnanswered(std::vector<Figure>& all) {
  const auto add = [&all](Kind kind, const char* name, const char* source, const char* unit,
                          double value, const char* why_not) {
    all.push_back({.kind = kind,
                   .name = name,
                   .source = source,
                   .unit = unit,
                   .value = value,
                   .why_not = why_not});
  };
  add(Kind::kGemm, "int8 wide GEMMs, 8845HS, 1.93 to 2.02", kWhisperXdna, "TOPS", 1.975,
      "neither sizes nor tiles are published");
  add(Kind::kGemm, "bf16 64^3 tile, share of the cores' peak", "mlir-aie issue 2735", "%", 50,
      "compiler, problem and C's type are not stated");
  add(Kind::kGemm, "int16 64^3 tile, share of the cores' peak", "mlir-aie issue 2735", "%", 75,
      "there is no int16 product here");
  add(Kind::kGemm, "bf16-f32 1024^3, IREE 2024", "nod-ai/iree-amd-aie PR 282", "TOPS", 0.6,
      "another design and compiler, whose tiles are not published");
  add(Kind::kGemm, "int8-int16, descriptors written one after another: part lost", kGemm25, "%", 27,
      "our streams always overlap; one that doesn't is not modelled");
  add(Kind::kDispatch, "each of a chain, Ryzen 5 7640U", "RyzenAI-SW issue 142", "us", 27.7,
      "Windows' driver of 2024; 36 us from two drivers later: firmware versions are not modelled");
  add(Kind::kDispatch, "xrt-smi validate, 2024", "XRT PR 7878", "us", 159.5,
      "an older driver and firmware than the 100 to 110 us of the same test");
  add(Kind::kDispatch, "empty kernel, run and wait", "mlir-aie issue 2381", "us", 45,
      "hardware not stated, perhaps XDNA2");
  add(Kind::kDispatch, "trivial kernel, run and wait", "XRT issue 9018", "us", 60,
      "hardware not stated, perhaps XDNA2");
  add(Kind::kDispatch, "64x64 product per call, Unicorn-Amanuensis", "UC-1", "us", 54400,
      "Python around a scalar kernel that is not published");
}

}  // namespace

const std::vector<Figure>& Figures() {
  static const std::vector<Figure> figures = [] {
    std::vector<Figure> all;
    internal::AddGemm(all);
    AddBandwidth(all);
    AddDispatch(all);
    AddUnanswered(all);
    return all;
  }();
  return figures;
}

std::vector<FigureResult> EvaluateFigures() {
  std::vector<FigureResult> results;
  for (const Figure& figure : Figures()) {
    if (figure.model) results.push_back({&figure, figure.model()});
  }
  return results;
}

Accuracy AccuracyOf(const std::vector<FigureResult>& results,
                    const std::vector<Figure::Kind>& kinds) {
  Accuracy accuracy;
  std::vector<double> errors;
  for (const FigureResult& result : results) {
    if (!result.figure->why_not.empty() ||
        std::find(kinds.begin(), kinds.end(), result.figure->kind) == kinds.end()) {
      continue;
    }
    errors.push_back(std::abs(result.error_percent()));
    if (errors.back() >= accuracy.worst) {
      accuracy.worst = errors.back();
      accuracy.worst_name = result.figure->name;
    }
  }
  if (errors.empty()) return accuracy;
  std::sort(errors.begin(), errors.end());
  accuracy.rows = static_cast<int>(errors.size());
  const std::size_t half = errors.size() / 2;
  accuracy.median = errors.size() % 2 == 1 ? errors[half] : (errors[half - 1] + errors[half]) / 2;
  return accuracy;
}

}  // namespace xdna::model
