#include "bench/encoder_tune.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "bench/array_time.h"
#include "bench/environment.h"
#include "bench/op_array_report.h"
#include "bench/op_report.h"
#include "bench/op_shape.h"
#include "bench/run_record.h"
#include "golden/store.h"
#include "ops/registry.h"
#include "ops/verify.h"

namespace xdna::bench {
namespace {

const std::vector<std::size_t> kColumns = {1, 2, 4};

struct Shape {
  std::string node, op;
  ops::Dims dims;
};

// The graph's nodes, and behind attention and ffn the products in them.
std::vector<Shape> ShapesOf(const encoder::EncoderShape& shape) {
  const std::int64_t m = shape.positions, d = shape.d, f = shape.ffn();
  std::vector<Shape> shapes;
  const auto product = [&](const std::string& name, std::int64_t k, std::int64_t n) {
    shapes.push_back({name, "linear", {{"m", m}, {"k", k}, {"n", n}}});
  };
  for (const encoder::Node& node : encoder::EncoderGraph(shape)) {
    shapes.push_back({node.name, node.op, node.dims});
    if (node.op == "attention") {
      product(node.name + ".qkv", d, 3 * d);
      product(node.name + ".out", d, d);
    } else if (node.op == "ffn") {
      product(node.name + ".fc1", d, f);
      product(node.name + ".fc2", f, d);
    }
  }
  return shapes;
}

struct Outcome {
  TunedOp tuned;
  double default_us = 0;  // by the model's first choice on 4 columns
};

std::string TableRow(const EncoderTuneJob& job, const Outcome& outcome) {
  const TuneResult& result = outcome.tuned.result;
  std::string text = fmt::format("{:<11}{:<30} {:<5} ", job.op->name, job.point.shape,
                                 ops::PrecisionName(job.point.variant.precision));
  if (!result.winner) return text + "no tile both runs and passes\n";
  const TuneRow& best = result.best();
  const double next = *result.winner + 1 < result.rows.size()
                          ? result.rows[*result.winner + 1].us / best.us - 1
                          : 0;
  return text +
         fmt::format("{:<16} {:>4} {:>9.4f}  {:<8} passed {:>3.0f} % {:>8} {:>9} {:>6} {:>6}  {}\n",
                     best.choice.tile, best.choice.columns, best.us / 1e3, best.bound,
                     best.verdict.headroom_percent.value_or(0),
                     next > 0 ? fmt::format("+{:.1f} %", 100 * next) : "-",
                     fmt::format("{:+.1f} %", 100 * (best.us / outcome.default_us - 1)),
                     result.legal, result.rows.size(), job.serves);
}

// The winner timed once more, for where its time goes.
RunRecord WinnerRecord(const EncoderTuneJob& job, const TuneRow& best, const TensorMap& inputs,
                       const TuneOptions& options, const OpSession& session, ThreadPool& pool) {
  OpPoint point = job.point;
  point.array.tile = best.choice.tile;
  point.array.columns = best.choice.columns;
  ArrayRow row;
  row.point = &point;
  row.time = TimeOnArray(*job.op, point, inputs, options.npu, pool);
  row.bound = best.bound;
  row.timed = true;
  return ArrayRecordOf(*job.op, row, best.verdict, options.npu, session);
}

std::string TableHeader() {
  return fmt::format(
      "\n{:<11}{:<30} {:<5} {:<16} {:>4} {:>9}  {:<8} {:<12} {:>8} {:>9} {:>6} {:>6}  {}\n", "op",
      "shape", "", "tile", "cols", "ms", "bound by", "verdict", "next", "default", "legal", "tried",
      "serves");
}

constexpr const char* kFooter =
    "ms: modelled, of one call of the op whose overlay was loaded before. next: how far behind the "
    "runner-up is.\ndefault: the winner against what the op takes without a search. tried: "
    "simulated.\n";

}  // namespace

std::vector<EncoderTuneJob> EncoderTuneJobs(const encoder::EncoderShape& shape,
                                            const std::vector<std::string>& precisions) {
  std::vector<EncoderTuneJob> jobs;
  std::map<std::string, std::size_t> known;
  std::vector<std::size_t> more;
  for (const Shape& one : ShapesOf(shape)) {
    const ops::Contract& op = ops::FindOp(one.op);
    for (const std::string& precision : precisions) {
      const ops::Variant variant{ops::PrecisionFromName(precision), ops::Backend::kArray};
      if (!op.Has(variant)) continue;
      EncoderTuneJob job{&op, {}, one.node};
      job.point.dims = one.dims;
      job.point.variant = variant;
      job.point.shape = ShapeName(op, one.dims);
      job.point.name = ArrayHeading(op, job.point);
      const auto [it, added] = known.try_emplace(job.point.name, jobs.size());
      if (added) {
        jobs.push_back(std::move(job));
        more.push_back(0);
      } else {
        ++more[it->second];
      }
    }
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (more[i] > 0) jobs[i].serves += fmt::format(" and {} more", more[i]);
  }
  return jobs;
}

bool TuneEncoder(const encoder::EncoderShape& shape, const std::vector<std::string>& precisions,
                 const TuneOptions& options, const std::string& json) {
  const auto begin = std::chrono::steady_clock::now();
  const Environment environment = CurrentEnvironment(options.threads);
  ThreadPool pool(options.threads);
  const std::vector<EncoderTuneJob> jobs = EncoderTuneJobs(shape, precisions);
  if (jobs.empty()) {
    Throw(ErrorCode::kInvalidArgument, "--tune: the array has no {}; it has bf16 and int8",
          fmt::join(precisions, ","));
  }
  fmt::print("{}{}: {} searches\n", ArrayModelLine(options.npu), shape.name, jobs.size());
  std::string table;
  bool right = true;
  for (const EncoderTuneJob& job : jobs) {
    const golden::Store store = golden::Store::Open(ops::GoldenPath(*job.op), "op");
    Outcome outcome{TuneOp(*job.op, store, job.point, kColumns, options, pool)};
    const TunedOp& tuned = outcome.tuned;
    fmt::print(stderr, "{}", tuned.warnings);
    fmt::print("\n{}{}", TuneHeading(*job.op, job.point, tuned), ExplainTune(tuned.result));
    std::fflush(stdout);
    if (tuned.result.winner) {
      const TensorMap inputs = ops::RandomInputs(*job.op, job.point.dims, options.seed);
      outcome.default_us = TimeOnArray(*job.op, job.point, inputs, options.npu, pool).us;
      if (!json.empty()) {
        const OpSession session = {environment, Sha256OfFile(store.path()), options.seed};
        AppendRecord(json, WinnerRecord(job, tuned.result.best(), inputs, options, session, pool));
      }
    }
    right = right && (tuned.result.winner || !RanWrong(tuned.result));
    table += TableRow(job, outcome);
  }
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  fmt::print("{}{}{}{:.1f} s on this host\n", TableHeader(), table, kFooter, spent.count());
  return right;
}

}  // namespace xdna::bench
