#include "bench/resume.h"

#include <fmt/format.h>

#include <fstream>
#include <optional>

#include "base/error.h"

namespace xdna::bench {
namespace {

constexpr const char* kAllTiles = "*";

std::optional<RunRecord> RecordIn(const std::string& line) {
  try {
    return ParseRecord(line);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

DoneSeries::DoneSeries(const std::string& path, const Environment& now,
                       const std::string& model_version)
    : path_(path), revision_(RevisionString(now)), dirty_(now.git_dirty.value_or(true)) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    const std::optional<RunRecord> record = RecordIn(line);
    if (!record) {
      ++unreadable_;
      continue;
    }
    const bool same = record->environment.git_revision == now.git_revision &&
                      record->environment.git_dirty == now.git_dirty &&
                      (record->model ? record->model->version : "") == model_version;
    if (!same || !record->valid() || !record->verdict().passed()) continue;
    SeriesKey key = record->series();
    done_.insert(key.ToString());
    if (!record->model) continue;
    const auto of = record->model->schedule.find("of");
    if (of == record->model->schedule.end() || of->second != "tile=*") continue;
    key.tile = kAllTiles;
    done_.insert(key.ToString());
  }
}

bool DoneSeries::HasAllTiles(SeriesKey key) const {
  key.tile = kAllTiles;
  return Has(key);
}

std::string DoneSeries::Describe() const {
  std::string text;
  if (skipped_ > 0) {
    text = fmt::format("resumed: {} points are in {} already, of {}{}\n", skipped_, path_,
                       revision_, dirty_ ? ", whose changes since nobody can tell" : "");
  }
  if (unreadable_ > 0) {
    text += fmt::format("{}: {} lines are no records and count for nothing\n", path_, unreadable_);
  }
  return text;
}

}  // namespace xdna::bench
