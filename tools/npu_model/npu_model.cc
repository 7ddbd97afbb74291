// Predicts times on the NPU without running data, and shows how good the predictions are.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "bench/command_line.h"
#include "device/sim/timing.h"
#include "tools/npu_model/dispatch_model.h"
#include "tools/npu_model/gemm_model.h"
#include "tools/npu_model/prediction.h"
#include "tools/npu_model/published.h"

namespace xdna::model {
namespace {

using nlohmann::ordered_json;

struct Options {
  GemmQuery gemm;
  std::string tile = "64x64x64";
  bool single_buffer_c = false;
  DispatchQuery dispatch;
  IdleQuery idle;
  StreamQuery stream;
  std::string direction = "mm2s";
  bool json = false;
};

// "96x56x96".
void ParseTile(const std::string& text, GemmQuery& query) {
  unsigned m = 0;
  unsigned k = 0;
  unsigned n = 0;
  char rest = 0;
  // NOLINTNEXTLINE(cert-err34-c): what overflows is no tile either, and does not fit.
  if (std::sscanf(text.c_str(), "%5ux%5ux%5u%c", &m, &k, &n, &rest) != 3) {
    Throw(ErrorCode::kInvalidArgument, "--tile={}: want MxKxN, as 96x56x96", text);
  }
  query.tile_m = m;
  query.tile_k = k;
  query.tile_n = n;
}

ordered_json NumberOrNull(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json Json(const Prediction& p) {
  ordered_json json;
  json["fits"] = p.fits;
  json["time_model"] = device::TimeModelVersion();
  if (!p.fits) {
    json["reason"] = p.reason;
    return json;
  }
  json["time_us"] = p.time_us;
  json["tops"] = NumberOrNull(p.tops);
  json["tflops"] = p.floating ? NumberOrNull(p.tops) : ordered_json(nullptr);
  json["percent_of_peak"] = NumberOrNull(p.percent_of_peak);
  json["gigabytes_per_s"] = NumberOrNull(p.gigabytes_per_s);
  json["cycles_per_word"] = NumberOrNull(p.cycles_per_word);
  json["bound"] = p.bound;
  json["breakdown_us"] = ordered_json::object();
  for (const auto& [name, us] : p.breakdown_us) json["breakdown_us"][name] = us;
  json["cycles"] = p.cycles;
  json["assumptions"] = p.assumptions;
  return json;
}

void PrintText(const Prediction& p) {
  if (!p.fits) {
    fmt::print("does not fit: {}\n", p.reason);
    return;
  }
  fmt::print("modelled time {:.3f} us, {:.0f} cycles of the array, bound by {}\n", p.time_us,
             p.cycles, p.bound);
  if (p.tops) {
    fmt::print("{:.3f} {}, {:.1f} % of the peak of 16 cores\n", *p.tops,
               p.floating ? "TFLOPS" : "TOPS", p.percent_of_peak.value_or(0));
  }
  if (p.cycles_per_word) fmt::print("{:.4f} cycles a word while it moves\n", *p.cycles_per_word);
  if (p.gigabytes_per_s) fmt::print("{:.3f} GB/s of host memory\n", *p.gigabytes_per_s);
  for (const auto& [name, us] : p.breakdown_us) {
    fmt::print("  {:<14} {:>12.3f} us {:>6.1f} %\n", name, us, 100 * us / p.time_us);
  }
  for (const std::string& assumption : p.assumptions) fmt::print("assumed: {}\n", assumption);
}

int Print(const Prediction& p, bool json) {
  if (json) {
    fmt::print("{}\n", Json(p).dump());
  } else {
    PrintText(p);
  }
  return p.fits ? kExitOk : kExitBadInput;
}

// --- validate ------------------------------------------------------------------------------------

constexpr const char* kKindNames[] = {"gemm", "bandwidth", "dispatch"};

std::string RoleOf(const Figure& figure) {
  if (!figure.why_not.empty()) return "excused";
  return figure.role == Figure::Role::kFitted ? "fitted" : "predicted";
}

ordered_json Json(const Accuracy& accuracy) {
  return {{"rows", accuracy.rows},
          {"median_percent", accuracy.median},
          {"worst_percent", accuracy.worst},
          {"worst", accuracy.worst_name}};
}

void PrintTable(const std::vector<FigureResult>& results) {
  fmt::print("{:<70} {:>10} {:>10} {:>8}  {:<9} {} [{}]\n", "figure", "published", "model",
             "error %", "", "unit", "source");
  for (const FigureResult& r : results) {
    const Figure& f = *r.figure;
    fmt::print("{:<70} {:>10.5g} {:>10.5g} {:>+8.1f}  {:<9} {} [{}]\n", f.name, f.value, r.model,
               r.error_percent(), RoleOf(f), f.unit, f.source);
  }
  fmt::print("\nexcused, or without an answer:\n");
  for (const Figure& f : Figures()) {
    if (f.why_not.empty()) continue;
    fmt::print("  {}, {} {} [{}]: {}\n", f.name, f.value, f.unit, f.source, f.why_not);
  }
}

bool Within(const Accuracy& accuracy, double worst) {
  return accuracy.median <= kMedianPercent && accuracy.worst <= worst;
}

int Validate(bool json) {
  const std::vector<FigureResult> results = EvaluateFigures();
  using enum Figure::Kind;
  const Accuracy work = AccuracyOf(results, {kGemm, kBandwidth});
  const Accuracy dispatch = AccuracyOf(results, {kDispatch});
  const bool within = Within(work, kWorstPercent) && Within(dispatch, kWorstDispatchPercent);
  if (json) {
    ordered_json rows = ordered_json::array();
    for (const FigureResult& r : results) {
      rows.push_back({{"kind", kKindNames[static_cast<std::size_t>(r.figure->kind)]},
                      {"figure", r.figure->name},
                      {"source", r.figure->source},
                      {"unit", r.figure->unit},
                      {"published", r.figure->value},
                      {"model", r.model},
                      {"error_percent", r.error_percent()},
                      {"role", RoleOf(*r.figure)},
                      {"why_not", r.figure->why_not}});
    }
    fmt::print("{}\n", ordered_json({{"within_bounds", within},
                                     {"gemm_and_bandwidth", Json(work)},
                                     {"dispatch", Json(dispatch)},
                                     {"rows", rows}})
                           .dump());
  } else {
    PrintTable(results);
    const auto line = [](const char* what, const Accuracy& a, double worst) {
      fmt::print("{}: {} rows, median {:.1f} % (bound {} %), worst {:.1f} % (bound {} %): {}\n",
                 what, a.rows, a.median, kMedianPercent, a.worst, worst, a.worst_name);
    };
    fmt::print("\n");
    line("GEMM and bandwidth", work, kWorstPercent);
    line("dispatch", dispatch, kWorstDispatchPercent);
  }
  return within ? kExitOk : kExitWrong;
}

// --- the command line ----------------------------------------------------------------------------

CLI::App* AddGemm(CLI::App& app, Options& o) {
  CLI::App* gemm = app.add_subcommand("gemm", "a matrix product over the whole array");
  gemm->add_option("--preset", o.gemm.preset, "phx-1.0, hpt-1.6, 8700g-1.8");
  gemm->add_option("--in", o.gemm.in, "bf16, int8");
  gemm->add_option("--out", o.gemm.out, "bf16, f32; of int8: int8, int16, int32");
  gemm->add_option("--m", o.gemm.m, "rows of A")->required();
  gemm->add_option("--k", o.gemm.k, "columns of A")->required();
  gemm->add_option("--n", o.gemm.n, "columns of B")->required();
  gemm->add_option("--tile", o.tile, "of a core, MxKxN");
  gemm->add_option("--codegen", o.gemm.codegen, "chess, peano");
  gemm->add_option("--host", o.gemm.host, "cpp, pyxrt, iron-jit: who dispatches the run");
  gemm->add_flag("--single_buffer_c", o.single_buffer_c,
                 "one buffer of C on a core; otherwise two if they fit");
  gemm->add_option("--accumulate", o.gemm.accumulate,
                   "wide: C in f32 or int32 from step to step; output: in its own type; auto: wide "
                   "if it fits");
  gemm->add_option("--b_layout", o.gemm.b_layout, "rows, columns, packed");
  gemm->add_option("--k_mem", o.gemm.k_mem, "depth of a memory tile's panels; 0: up to 4 tiles");
  gemm->add_option("--columns", o.gemm.columns, "of the array: 1, 2, 4");
  return gemm;
}

CLI::App* AddDispatch(CLI::App& app, Options& o) {
  CLI::App* dispatch = app.add_subcommand("dispatch", "runs that do little");
  dispatch->add_option("--preset", o.dispatch.preset, "phx-1.0, hpt-1.6, 8700g-1.8");
  dispatch->add_option("--host", o.dispatch.host, "cpp, pyxrt, iron-jit");
  dispatch->add_option("--mode", o.dispatch.mode, "single, runlist");
  dispatch->add_option("--count", o.dispatch.count, "runs");
  dispatch->add_option("--bytes", o.dispatch.bytes, "that each run copies");
  return dispatch;
}

CLI::App* AddStream(CLI::App& app, Options& o) {
  CLI::App* stream = app.add_subcommand("stream", "tasks of one channel of a shim");
  stream->add_option("--preset", o.stream.preset, "phx-1.0, hpt-1.6, 8700g-1.8");
  stream->add_option("--direction", o.direction, "mm2s: into the array; s2mm: out of it");
  stream->add_option("--tasks", o.stream.tasks, "one after another");
  stream->add_option("--words", o.stream.words, "of 32 bits, each task");
  return stream;
}

CLI::App* AddIdle(CLI::App& app, Options& o) {
  CLI::App* idle = app.add_subcommand("idle", "the first run after a pause");
  idle->add_option("--preset", o.idle.preset, "phx-1.0, hpt-1.6, 8700g-1.8");
  idle->add_option("--host", o.idle.host, "cpp, pyxrt, iron-jit");
  idle->add_option("--gap_s", o.idle.gap_s, "seconds without work")->required();
  return idle;
}

int Main(int argc, const char* const* argv) {
  CLI::App app("Predicts times on the NPU, modelled and not measured.", "npu_model");
  app.require_subcommand(1);
  app.fallthrough();
  Options o;
  app.add_flag("--json", o.json, "one JSON object");
  const CLI::App* gemm = AddGemm(app, o);
  const CLI::App* dispatch = AddDispatch(app, o);
  const CLI::App* stream = AddStream(app, o);
  const CLI::App* idle = AddIdle(app, o);
  app.add_subcommand("validate", "every published figure, and the model beside it");
  if (!bench::ParseOptions(app, argc, argv)) return kExitOk;

  if (gemm->parsed()) {
    ParseTile(o.tile, o.gemm);
    if (o.single_buffer_c) o.gemm.buffers = "single";
    return Print(PredictGemm(o.gemm), o.json);
  }
  if (dispatch->parsed()) return Print(PredictDispatch(o.dispatch), o.json);
  if (stream->parsed()) {
    if (o.direction != "mm2s" && o.direction != "s2mm") {
      Throw(ErrorCode::kInvalidArgument, "no direction \"{}\"; there are mm2s, s2mm", o.direction);
    }
    o.stream.to_array = o.direction == "mm2s";
    return Print(PredictStream(o.stream), o.json);
  }
  if (idle->parsed()) return Print(PredictIdle(o.idle), o.json);
  return Validate(o.json);
}

}  // namespace
}  // namespace xdna::model

int main(int argc, char** argv) {
  return xdna::RunProgram("npu_model", [&] { return xdna::model::Main(argc, argv); });
}
