#include "bench/op_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "bench/command_line.h"
#include "bench/op_shape.h"
#include "bench/suggest.h"
#include "bench/sweep.h"

namespace xdna::bench {
namespace {

constexpr int kMostThreads = 1024;
constexpr std::size_t kOwnBenchmarkArguments = 2;  // the program and the least time

struct Typed {
  std::string sweep, precision, backend, match, device = "cpu";
};

// Google Benchmark ends the program with status 0 where it is told an unknown format.
void CheckBenchmarkArgument(const std::string& argument) {
  for (const std::string name : {"--benchmark_format=", "--benchmark_out_format="}) {
    if (!argument.starts_with(name)) continue;
    const std::string value = argument.substr(name.size());
    if (value != "console" && value != "json" && value != "csv") {
      Throw(ErrorCode::kInvalidArgument, "{}{}: known: console json csv", name, Quoted(value));
    }
  }
}

// Takes Google Benchmark's options out of the command line.
std::vector<const char*> SplitOff(int argc, char** argv, OpOptions& options) {
  std::vector<const char*> rest;
  options.benchmark_arguments = {argv[0], "--benchmark_min_time=0.3"};
  for (int i = 0; i < argc; ++i) {
    std::string argument = argv[i];
    if (!argument.starts_with("--benchmark_")) {
      rest.push_back(argv[i]);
      continue;
    }
    constexpr std::string_view kOut = "--benchmark_out=";
    if (argument.starts_with(kOut)) {
      argument = std::string(kOut) + UserPath(argument.substr(kOut.size()));
    }
    CheckBenchmarkArgument(argument);
    options.list_tests = options.list_tests || argument.starts_with("--benchmark_list_tests");
    options.own_display = options.own_display || argument.starts_with("--benchmark_format=");
    options.benchmark_arguments.push_back(argument);
  }
  return rest;
}

bool Chooses(const std::vector<SweepChoice>& choices, const std::string& axis) {
  return std::any_of(choices.begin(), choices.end(),
                     [&](const SweepChoice& c) { return c.axis == axis; });
}

void AddOption(const std::string& name, const std::string& text, const std::vector<SweepAxis>& axes,
               std::vector<SweepChoice>& choices) {
  if (text.empty()) return;
  if (Chooses(choices, name)) {
    Throw(ErrorCode::kInvalidArgument, "--{} and the sweep's axis '{}' say the same; use one", name,
          name);
  }
  const auto axis =
      std::find_if(axes.begin(), axes.end(), [&](const SweepAxis& a) { return a.name == name; });
  choices.push_back(
      {name, WithContext("--" + name, [&] { return ParseSweepValues(text, *axis); })});
}

// The variant of these names, which the op need not have: one with that backend, in that precision.
ops::Variant VariantOf(const ops::Contract& op, const SweepPoint& choice) {
  const auto like = std::find_if(
      op.variants.begin(), op.variants.end(),
      [&](const ops::Variant& v) { return ops::BackendName(v) == choice.at("backend"); });
  ops::Variant variant = *like;
  variant.precision = ops::PrecisionFromName(choice.at("precision"));
  return variant;
}

std::vector<OpPoint> PointsOf(const ops::Contract& op, ops::Device device, const Typed& typed) {
  const std::vector<SweepAxis> axes = AxesOf(op, device);
  std::vector<SweepChoice> choices;
  if (!typed.sweep.empty()) {
    choices = WithContext("--sweep", [&] { return ParseSweep(typed.sweep, axes); });
  }
  AddOption("precision", typed.precision, axes, choices);
  AddOption("backend", typed.backend, axes, choices);
  if (!Chooses(choices, "backend")) {
    choices.push_back({"backend", {device == ops::Device::kCpu ? "fast" : "tile"}});
  }
  // What was not asked for by name is left out where the op does not have it.
  const bool named = Chooses(choices, "precision");
  if (!named) AddOption("precision", "*", axes, choices);

  std::vector<OpPoint> points;
  for (const SweepPoint& choice : ExpandSweep(choices)) {
    OpPoint point;
    point.variant = VariantOf(op, choice);
    if (!named && !op.Has(point.variant)) continue;
    point.dims = DimsOf(op, choice);
    point.shape = ShapeName(op, point.dims);
    point.name = fmt::format("{}/{}/{}/{}", op.name, point.shape, choice.at("precision"),
                             choice.at("backend"));
    points.push_back(std::move(point));
  }
  return points;
}

std::vector<OpPoint> Matching(std::vector<OpPoint> points, const std::string& match) {
  if (match.empty()) return points;
  std::regex pattern;
  try {
    pattern = std::regex(match);
  } catch (const std::regex_error&) {
    Throw(ErrorCode::kInvalidArgument, "--match: {} is not a regular expression", Quoted(match));
  }
  const std::string first = points.front().name;
  const std::size_t count = points.size();
  std::erase_if(points, [&](const OpPoint& p) { return !std::regex_search(p.name, pattern); });
  if (points.empty()) {
    Throw(ErrorCode::kInvalidArgument,
          "--match: {} matches none of {} points, the first of which is {}", Quoted(match), count,
          first);
  }
  return points;
}

// What only one of the devices can do.
void CheckDevice(const OpOptions& options) {
  if (options.device == ops::Device::kCpu) {
    if (!options.list_tiles) return;
    Throw(ErrorCode::kInvalidArgument, "--list_tiles: tiles are the NPU's; add --device=npu");
  }
  const bool timing = options.benchmark_arguments.size() > kOwnBenchmarkArguments;
  if (timing || !options.json.empty()) {
    Throw(ErrorCode::kInvalidArgument,
          "{} is for times, and a single tile has none; use --device=cpu",
          timing ? "--benchmark_..." : "--json");
  }
}

}  // namespace

OpOptions ParseOpOptions(const ops::Contract& op, int argc, char** argv) {
  OpOptions options;
  options.threads = AvailableCpus();
  Typed typed;
  CLI::App app(fmt::format(
      "{}: {}. Verifies, times and compares with what this machine can do.\n\n"
      "  bazel run //bench:{} -- --precision=f32\n"
      "  bazel run //bench:{} -- --sweep='{}=64:256:64,1500 precision=*' --json=runs.jsonl\n",
      op.name, op.summary, op.name, op.name, DimNames(op).front()));
  app.add_option("--sweep", typed.sweep,
                 "axes and values, 'm=1500 n=512,2048 precision=*'; ranges are first:last:step");
  app.add_option("--precision", typed.precision, "f32,bf16,int8; default all that the op has");
  app.add_option("--device", typed.device, "cpu, or npu: checked on one tile's kernels, not timed")
      ->capture_default_str();
  app.add_option("--backend", typed.backend,
                 "cpu: fast,eigen, default fast; npu: tile and what --list shows, default tile");
  app.add_option("--threads", options.threads, "default: the CPUs that this process may use")
      ->check(CLI::Range(1, kMostThreads));
  app.add_option("--seed", options.seed, "of the inputs")->check(CLI::NonNegativeNumber);
  app.add_option("--match", typed.match, "only the points whose names match this expression");
  app.add_option("--json", options.json, "append run records to this file");
  app.add_option("--repro", options.repro, "run one golden check, CASE/PRECISION/BACKEND");
  app.add_flag("--list", options.list, "operands, default sizes, variants and golden cases");
  app.add_flag("--list_tiles", options.list_tiles,
               "npu: tile shapes with bytes of tile memory, arithmetic intensity, modelled cycles");
  app.add_flag("--dry_run", options.dry_run, "print the points and their limits, run nothing");
  app.footer("Options that begin with --benchmark_ are Google Benchmark's.");

  const std::vector<const char*> rest = SplitOff(argc, argv, options);
  options.help = !ParseOptions(app, static_cast<int>(rest.size()), rest.data());
  if (options.help) return options;
  if (!options.json.empty()) options.json = UserPath(options.json);
  for (const char* name : {"--sweep", "--precision", "--backend", "--match", "--repro", "--json"}) {
    if (app.count(name) != 0 && app.get_option(name)->as<std::string>().empty()) {
      Throw(ErrorCode::kInvalidArgument, "{}: empty", name);
    }
  }
  options.device = WithContext("--device", [&] { return ops::DeviceFromName(typed.device); });
  CheckDevice(options);
  options.points = Matching(PointsOf(op, options.device, typed), typed.match);
  return options;
}

}  // namespace xdna::bench
