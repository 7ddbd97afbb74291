// Prints lines and whether bench/run_record takes them, for schema_test.py.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "golden/compare.h"
#include "reports/record_samples.h"
#include "reports/records.h"

namespace xdna::reports {
namespace {

using Json = nlohmann::json;

std::vector<Json> GoodLines() {
  bench::RunRecord invalid = MeasuredRecord();
  invalid.Invalidate("faster than light");
  bench::RunRecord unknown = MeasuredRecord();
  unknown.environment.git_dirty.reset();
  unknown.seed = ~std::uint64_t{0};
  std::vector<Json> lines;
  for (const bench::RunRecord& record :
       {MeasuredRecord(), ModelledRecord(), RecordWithStatus(golden::Status::kFailed),
        RecordWithStatus(golden::Status::kUnsupported), invalid, unknown}) {
    lines.push_back(Json::parse(record.ToJsonLine()));
  }
  SeriesNotes notes;
  notes.AddAlias("a/b/c/d/e/f/g/h/i", "a/b/c/d/e/f/g/h/j", "spelling");
  notes.AddRemoval("a/b/c/d/e/f/g/h/k", "no longer built");
  for (const std::string& line : notes.Lines()) lines.push_back(Json::parse(line));
  return lines;
}

// Each field gone, and each of another type or value.
std::vector<Json> Mutations(const Json& good) {
  const std::vector<Json> values = {nullptr,
                                    -1,
                                    1.5,
                                    "",
                                    "x",
                                    true,
                                    Json::array(),
                                    Json::object(),
                                    Json::array({0}),
                                    {{"total", 0}},
                                    {{"rtf", 5}}};
  std::vector<Json> mutations;
  std::vector<Json::json_pointer> pointers;
  for (const auto& [key, unused] : good.items()) {
    pointers.emplace_back("/" + key);
    if (!good[key].is_object()) continue;
    for (const auto& [inner, also_unused] : good[key].items()) {
      pointers.push_back(Json::json_pointer("/" + key) / inner);
    }
  }
  for (const auto& pointer : pointers) {
    Json gone = good;
    gone.at(pointer.parent_pointer()).erase(pointer.back());
    mutations.push_back(gone);
    for (const Json& value : values) {
      Json other = good;
      other[pointer] = value;
      mutations.push_back(other);
    }
  }
  Json more = good;
  more["more"] = 1;
  mutations.push_back(more);
  return mutations;
}

bool Accepted(const std::string& line) {
  try {
    ParseRecords(line + "\n", "sample");
    return true;
  } catch (const Error&) {
    return false;
  }
}

int Main() {
  for (const Json& good : GoodLines()) {
    std::vector<Json> lines = Mutations(good);
    lines.insert(lines.begin(), good);
    for (const Json& line : lines) {
      fmt::print("{}\n", Json({{"accepted", Accepted(line.dump())}, {"line", line}}).dump());
    }
  }
  return kExitOk;
}

}  // namespace
}  // namespace xdna::reports

int main() { return xdna::RunProgram("schema_samples", xdna::reports::Main); }
