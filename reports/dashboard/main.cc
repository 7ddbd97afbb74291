// //reports:dashboard: one self-contained page of run records.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "bench/command_line.h"
#include "bench/run_record.h"
#include "reports/dashboard/page.h"
#include "reports/dashboard/page_data.h"
#include "reports/records.h"

namespace xdna::dashboard {
namespace {

struct Options {
  std::vector<std::string> runs;
  std::string out;
};

bool Parse(int argc, char** argv, Options& options) {
  CLI::App app(
      "dashboard: run records as one page, which opens from a file and needs no network.\n\n"
      "  bazel run //reports:dashboard -- runs/*.jsonl --out=site");
  app.add_option("RUNS", options.runs, "files of run records, folders of them, or patterns")
      ->required();
  app.add_option("--out", options.out, "folder for index.html")->required();
  return bench::ParseOptions(app, argc, argv);
}

reports::RecordSet Load(const std::vector<std::string>& runs) {
  std::vector<std::string> paths;
  for (const std::string& run : runs) paths.push_back(UserPath(run));
  reports::RecordSet set = reports::LoadRecords(paths);
  for (const std::string& torn : set.torn) fmt::print(stderr, "dashboard: left out: {}\n", torn);
  if (set.records.empty()) {
    Throw(ErrorCode::kInvalidArgument, "RUNS: no record in {}", fmt::join(runs, ", "));
  }
  return set;
}

// The records are `set`'s own.
PageInput InputOf(const reports::RecordSet& set) {
  PageInput input;
  input.generated = std::time(nullptr);
  std::set<std::string> files;
  for (const auto& [series, records] : reports::BySeries(set)) {
    if (const std::string* why = set.notes.Removal(series)) {
      fmt::print(stderr, "dashboard: left out: {} records of {}, removed: {}\n", records.size(),
                 series, *why);
      continue;
    }
    for (const reports::LoadedRecord* loaded : records) {
      const bench::RunRecord& record = loaded->record;
      const std::int64_t date = WithContext(fmt::format("{}:{}", loaded->file, loaded->line),
                                            [&] { return ParseDate(record.environment.date); });
      input.records.push_back({series, &record, date});
      files.insert(std::filesystem::path(loaded->file).filename());
    }
  }
  input.sources.assign(files.begin(), files.end());
  return input;
}

// Beside the old page first: whoever looks at it sees the old one or the new one.
void WritePage(const std::string& folder, const std::string& page) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::string path = folder + "/index.html";
  const std::string fresh = path + ".new";
  std::ofstream file(fresh, std::ios::binary);
  file << page;
  file.close();
  if (!file) {
    const int why = errno;
    std::filesystem::remove(fresh, error);
    Throw(ErrorCode::kUnavailable, "--out: {} can't be written ({})", path, std::strerror(why));
  }
  std::filesystem::rename(fresh, path, error);
  if (error) {
    Throw(ErrorCode::kUnavailable, "--out: {} can't be written ({})", path, error.message());
  }
}

int Main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, options)) return kExitOk;
  const reports::RecordSet set = Load(options.runs);
  const PageInput input = InputOf(set);
  const std::string folder = UserPath(options.out);
  WritePage(folder, MakePage(PageData(input)));
  fmt::print("{}/index.html: {} records\n", options.out, input.records.size());
  return kExitOk;
}

}  // namespace
}  // namespace xdna::dashboard

int main(int argc, char** argv) {
  return xdna::RunProgram("dashboard", [&] { return xdna::dashboard::Main(argc, argv); });
}
