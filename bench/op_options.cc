#include "bench/op_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "bench/command_line.h"
#include "bench/op_shape.h"
#include "bench/suggest.h"
#include "bench/sweep.h"
#include "bench/tune.h"
#include "device/sim/timing.h"

namespace xdna::bench {
namespace {

constexpr int kMostThreads = 1024;
constexpr std::size_t kOwnBenchmarkArguments = 2;  // the program and the least time

struct Typed {
  std::string sweep, precision, backend, match, device = "cpu", isa;
  std::map<std::string, std::string> axes;  // options that say what an axis of the sweep would
  // The same of the NPU's array.
  std::pair<std::string_view, std::string> array[4] = {
      {"batch", ""}, {"reuse", ""}, {"tile", ""}, {"columns", ""}};
};

// Axes that only the NPU's array has, and what --help says of them.
constexpr std::string_view kArrayAxes[] = {"batch", "reuse", "tile", "columns"};
constexpr const char* kArrayHelp[] = {
    "npu: rows of a run; default all",
    "npu: what is kept from run to run: fresh,bo,context,runlist:N; default context",
    "npu: names that --tile='*' lists, * for all, tuned for the one that --tune finds; default the "
    "first by the model",
    "npu: columns of the array, 1 to 4; default 4"};

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

ArrayChoice ArrayChoiceOf(const SweepPoint& choice) {
  ArrayChoice array;
  const auto get = [&](std::string_view axis, auto&& set) {
    if (const auto it = choice.find(axis); it != choice.end()) set(it->second);
  };
  get("batch", [&](const std::string& value) { array.batch = std::stoll(value); });
  get("reuse", [&](const std::string& value) { array.reuse = value; });
  get("tile", [&](const std::string& value) { array.tile = value; });
  get("columns", [&](const std::string& value) { array.columns = std::stoul(value); });
  return array;
}

// "/batch=8/reuse=bo": what of the array's axes was chosen.
std::string ArrayName(const SweepPoint& choice) {
  std::string name;
  for (const std::string_view axis : kArrayAxes) {
    if (const auto it = choice.find(axis); it != choice.end()) {
      name += fmt::format("/{}={}", axis, it->second);
    }
  }
  return name;
}

std::vector<OpPoint> PointsOf(const ops::Contract& op, OpOptions& options, const Typed& typed) {
  const ops::Device device = options.device;
  const std::vector<SweepAxis> axes = AxesOf(op, device);
  std::vector<SweepChoice> choices;
  if (!typed.sweep.empty()) {
    choices = WithContext("--sweep", [&] { return ParseSweep(typed.sweep, axes); });
  }
  for (const auto& [name, values] : typed.axes) AddOption(name, values, axes, choices);
  for (const auto& [name, values] : typed.array) {
    if (!values.empty()) AddOption(std::string(name), values, axes, choices);
  }
  AddOption("precision", typed.precision, axes, choices);
  AddOption("backend", typed.backend, axes, choices);
  if (!Chooses(choices, "backend")) {
    choices.push_back({"backend", {device == ops::Device::kCpu ? "fast" : "array"}});
  }
  options.columns_chosen = Chooses(choices, "columns");
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
    point.array = ArrayChoiceOf(choice);
    point.name = fmt::format("{}/{}/{}/{}{}", op.name, point.shape, choice.at("precision"),
                             choice.at("backend"), ArrayName(choice));
    if (point.variant.backend == ops::Backend::kTile && !ArrayName(choice).empty()) {
      Throw(ErrorCode::kInvalidArgument, "{}: one tile has no {}; use --backend=array", point.name,
            fmt::join(kArrayAxes, ", "));
    }
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
void CheckDevice(const OpOptions& options, const CLI::App& app) {
  if (options.device == ops::Device::kCpu) {
    for (const char* name :
         {"--list_tiles", "--preset", "--host", "--codegen", "--batch", "--reuse", "--tile",
          "--columns", "--tune", "--retune", "--tune_simulate"}) {
      if (app.count(name) == 0) continue;
      Throw(ErrorCode::kInvalidArgument, "{} is for the NPU; add --device=npu", name);
    }
    return;
  }
  if (options.benchmark_arguments.size() > kOwnBenchmarkArguments) {
    Throw(ErrorCode::kInvalidArgument,
          "--benchmark_... is for measured times, and the NPU's are modelled; use --device=cpu");
  }
  WithContext("--preset", [&] { device::FindPreset(options.npu.preset); });
  WithContext("--host", [&] { device::FindHostProfile(options.npu.host); });
}

void CheckPoints(const OpOptions& options) {
  for (const OpPoint& point : options.points) {
    if (point.variant.backend == ops::Backend::kTile && !options.json.empty()) {
      Throw(ErrorCode::kInvalidArgument,
            "--json is for times, and a single tile has none; use --backend=array");
    }
    if (point.variant.backend == ops::Backend::kTile && !options.trace.empty()) {
      Throw(ErrorCode::kInvalidArgument,
            "--trace is of a run, and a single tile has none; use --backend=array");
    }
    if (point.variant.backend == ops::Backend::kArray && options.list_tiles) {
      Throw(ErrorCode::kInvalidArgument,
            "--list_tiles is for one tile; --sweep='tile=*' lists the array's, with times");
    }
  }
}

void CheckTuning(OpOptions& options) {
  options.tune = options.tune || options.retune;
  for (const OpPoint& point : options.points) {
    if (!options.tune) return;
    if (point.variant.backend != ops::Backend::kArray) {
      Throw(ErrorCode::kInvalidArgument, "--tune is for the whole array; use --backend=array");
    }
    if (!point.array.tile.empty()) {
      Throw(ErrorCode::kInvalidArgument, "--tune looks for the tile that --tile={} names; use one",
            Quoted(point.array.tile));
    }
  }
}

void AddNpuOptions(CLI::App& app, OpOptions& options) {
  app.add_option("--preset", options.npu.preset, "npu: speed bin, as //tools:npu_info lists them")
      ->capture_default_str();
  app.add_option("--host", options.npu.host, "npu: how the host calls XRT: cpp, pyxrt, iron-jit")
      ->capture_default_str();
  app.add_option("--codegen", options.npu.codegen, "npu: who compiled the cores' programs")
      ->check(CLI::IsMember({"chess", "peano"}))
      ->capture_default_str();
}

void AddArrayOptions(CLI::App& app, OpOptions& options, Typed& typed) {
  for (std::size_t i = 0; i < std::size(kArrayAxes); ++i) {
    app.add_option(fmt::format("--{}", kArrayAxes[i]), typed.array[i].second, kArrayHelp[i]);
  }
  app.add_flag("--tune", options.tune,
               "npu: search the tile and columns: ranked by the model, the best simulated, the "
               "winner verified and kept in the user's cache");
  app.add_flag("--retune", options.retune, "npu: search even where the cache has it");
  app.add_option("--tune_simulate", options.tune_simulate, "npu: tiles that a search simulates")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
}

// An option for each size; --rows for the rows of what goes by rows.
void AddSizes(CLI::App& app, const ops::Contract& op, Typed& typed) {
  for (const std::string& name : DimNames(op)) {
    app.add_option(name == "m" ? "--m,--rows" : "--" + name, typed.axes[name],
                   "values of this size, as in --sweep");
  }
}

}  // namespace

OpOptions ParseOpOptions(const ops::Contract& op, int argc, char** argv) {
  OpOptions options;
  options.threads = AvailableCpus();
  options.tune_simulate = static_cast<int>(kTuneSimulated);
  Typed typed;
  CLI::App app(fmt::format(
      "{}: {}. Verifies, times and compares with what this machine can do.\n\n"
      "  bazel run //bench:{} -- --precision=f32\n"
      "  bazel run //bench:{} -- --sweep='{}=64:256:64,1500 precision=*' --json=runs.jsonl\n"
      "  bazel run //bench:{} -- --device=npu --sweep='batch=64,512 "
      "reuse=fresh,bo,context,runlist:16 "
      "tile=*'\n",
      op.name, op.summary, op.name, op.name, DimNames(op).front(), op.name));
  app.add_option("--sweep", typed.sweep,
                 "axes and values, 'm=1500 n=512,2048 precision=*'; ranges are first:last:step");
  app.add_option("--precision", typed.precision, "f32,bf16,int8; default all that the op has");
  app.add_option("--device", typed.device, "cpu, or npu: simulated, times are modelled")
      ->capture_default_str();
  app.add_option(
      "--backend", typed.backend,
      "cpu: fast,eigen, default fast; npu: array,tile and what --list shows, default array");
  AddNpuOptions(app, options);
  AddArrayOptions(app, options, typed);
  AddSizes(app, op, typed);
  app.add_option("--threads", options.threads, "default: the CPUs that this process may use")
      ->check(CLI::Range(1, kMostThreads));
  app.add_option("--isa", typed.isa,
                 "cpu: no better instructions than portable, avx2, avx512, avx512_bf16 or amx");
  app.add_option("--seed", options.seed, "of the inputs")->check(CLI::NonNegativeNumber);
  app.add_option("--match", typed.match, "only the points whose names match this expression");
  app.add_option("--json", options.json, "append run records to this file");
  app.add_option("--trace", options.trace,
                 "timeline of a run for ui.perfetto.dev; of many points in FILE.POINT.json");
  app.add_flag("--resume", options.resume,
               "leave out points that the --json file has, of this revision and time model");
  app.add_option("--repro", options.repro, "run one golden check, CASE/PRECISION/BACKEND");
  app.add_flag("--list", options.list, "operands, default sizes, variants and golden cases");
  app.add_flag(
      "--list_tiles", options.list_tiles,
      "npu: one tile's shapes with bytes of its memory, arithmetic intensity, modelled cycles");
  app.add_flag("--dry_run", options.dry_run, "print the points and their limits, run nothing");
  app.footer("Options that begin with --benchmark_ are Google Benchmark's.");

  const std::vector<const char*> rest = SplitOff(argc, argv, options);
  options.help = !ParseOptions(app, static_cast<int>(rest.size()), rest.data());
  if (options.help) return options;
  if (app.count("--isa") != 0) WithContext("--isa", [&] { LimitCpu(IsaFromName(typed.isa)); });
  if (!options.json.empty()) options.json = UserPath(options.json);
  if (!options.trace.empty()) options.trace = UserPath(options.trace);
  for (const char* name : {"--sweep", "--precision", "--backend", "--match", "--repro", "--json"}) {
    if (app.count(name) != 0 && app.get_option(name)->as<std::string>().empty()) {
      Throw(ErrorCode::kInvalidArgument, "{}: empty", name);
    }
  }
  options.device = WithContext("--device", [&] { return ops::DeviceFromName(typed.device); });
  CheckDevice(options, app);
  if (options.list_tiles && typed.backend.empty()) typed.backend = "tile";
  options.points = Matching(PointsOf(op, options, typed), typed.match);
  CheckPoints(options);
  CheckTuning(options);
  if (options.resume && options.json.empty()) {
    Throw(ErrorCode::kInvalidArgument, "--resume: needs the file of records, --json=FILE");
  }
  return options;
}

}  // namespace xdna::bench
