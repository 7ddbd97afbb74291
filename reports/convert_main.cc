// Run records to and from other programs' formats.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "bench/command_line.h"
#include "bench/suggest.h"
#include "reports/convert.h"
#include "reports/output_file.h"
#include "reports/records.h"

namespace xdna::reports {
namespace {

constexpr const char* kFooter =
    "--to:\n"
    "  records           JSON lines of run records\n"
    "  google_benchmark  what --benchmark_out of Google Benchmark writes\n"
    "  github_bigger     github-action-benchmark, customBiggerIsBetter: RTF\n"
    "  github_smaller    github-action-benchmark, customSmallerIsBetter: milliseconds\n"
    "Examples:\n"
    "  bazel run //reports:convert -- runs.jsonl --to=google_benchmark --out=runs.json\n"
    "  bazel run //reports:convert -- theirs.json --from=google_benchmark --to=records \\\n"
    "      --verified_by='their unit tests' --out=theirs.jsonl\n"
    "  bazel run //reports:convert -- runs.jsonl --to=github_bigger\n";

struct Options {
  std::vector<std::string> inputs;
  std::string from = "records", to, out = "-", verified_by;
};

void ExpectOneOf(const char* option, const std::string& value,
                 const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return;
  Throw(ErrorCode::kInvalidArgument, "{}={}: no such format;{}", option, bench::Quoted(value),
        bench::Suggest(value, known));
}

RecordSet Read(const Options& o) {
  std::vector<std::string> paths;
  for (const std::string& path : o.inputs) paths.push_back(UserPath(path));
  if (o.from == "records") return LoadRecords(paths);
  RecordSet all;
  for (const std::string& path : paths) {
    std::ifstream file(path, std::ios::binary);
    if (!file) Throw(ErrorCode::kNotFound, "{}: can't be read", path);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    RecordSet set = FromGoogleBenchmark(text, path, o.verified_by);
    std::move(set.records.begin(), set.records.end(), std::back_inserter(all.records));
  }
  return all;
}

std::string Write(const RecordSet& set, const std::string& to) {
  if (to == "google_benchmark") return ToGoogleBenchmark(set);
  if (to == "github_bigger") return ToGithubAction(set, GithubRows::kBiggerIsBetter);
  if (to == "github_smaller") return ToGithubAction(set, GithubRows::kSmallerIsBetter);
  std::string lines;
  for (const LoadedRecord& loaded : set.records) lines += loaded.record.ToJsonLine() + "\n";
  for (const std::string& note : set.notes.Lines()) lines += note + "\n";
  return lines;
}

int Main(int argc, const char* const* argv) {
  Options o;
  CLI::App app("Converts run records to and from other formats.", "convert");
  app.add_option("INPUT", o.inputs, "files; of records also folders and patterns")->required();
  app.add_option("--from", o.from, "records or google_benchmark")->capture_default_str();
  app.add_option("--to", o.to, "see below")->required();
  app.add_option("--out", o.out, "file, or - for standard output")->capture_default_str();
  app.add_option("--verified_by", o.verified_by, "who checked the results behind foreign times");
  app.footer(kFooter);
  if (!bench::ParseOptions(app, argc, argv)) return kExitOk;
  ExpectOneOf("--from", o.from, {"records", "google_benchmark"});
  ExpectOneOf("--to", o.to, {"records", "google_benchmark", "github_bigger", "github_smaller"});

  const RecordSet set = Read(o);
  for (const std::string& torn : set.torn) fmt::print(stderr, "{}\n", torn);
  if (set.records.empty()) Throw(ErrorCode::kInvalidArgument, "no records in the input");
  WriteFile(o.out == "-" ? o.out : UserPath(o.out), Write(set, o.to));
  return kExitOk;
}

}  // namespace
}  // namespace xdna::reports

int main(int argc, char** argv) {
  return xdna::RunProgram("convert", [&] { return xdna::reports::Main(argc, argv); });
}
