#include "reports/records.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/strict_json.h"

namespace xdna::reports {
namespace {

namespace fs = std::filesystem;

// A record may be 4 MiB; a file of more than this is no file of records.
constexpr std::uintmax_t kMostFileBytes = std::uintmax_t{2} << 30;

std::string KeyIn(bench::JsonFields& fields, const std::string& name) {
  const std::string key = fields.Text(name);
  return WithContext(name, [&] { return bench::SeriesKey::Parse(key).ToString(); });
}

// True where the line is a note.
bool ParseNote(std::string_view line, SeriesNotes& notes) {
  // Most lines are records: these words stand in hardly any.
  if (line.find("\"alias\"") == std::string_view::npos &&
      line.find("\"removed\"") == std::string_view::npos) {
    return false;
  }
  const nlohmann::json json = bench::ParseStrictJson(line, bench::kMostRecordBytes);
  if (!json.is_object() || (!json.contains("alias") && !json.contains("removed"))) return false;
  bench::JsonFields fields(json, "");
  if (const std::int64_t version = fields.Integer("schema_version", 0, INT64_MAX);
      version != bench::kRunRecordVersion) {
    Throw(ErrorCode::kUnsupported, "schema_version: {}, this program reads {}", version,
          bench::kRunRecordVersion);
  }
  const std::string reason = fields.Text("reason");
  if (fields.Has("alias")) {
    const std::string old_key = KeyIn(fields, "alias");
    const std::string new_key = KeyIn(fields, "now");
    fields.ExpectNoMore();
    notes.AddAlias(old_key, new_key, reason);
  } else {
    const std::string key = KeyIn(fields, "removed");
    fields.ExpectNoMore();
    notes.AddRemoval(key, reason);
  }
  return true;
}

// What SeriesKey::Parse finds wrong in a note is the line's fault.
bool ParseNoteLine(std::string_view line, SeriesNotes& notes) {
  try {
    return ParseNote(line, notes);
  } catch (const Error& error) {
    throw Error(error.code() == ErrorCode::kUnsupported ? error.code() : ErrorCode::kCorrupt,
                "note: " + error.message());
  }
}

std::string ReadAll(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) Throw(ErrorCode::kInvalidArgument, "{}: a folder", path);
  std::ifstream file(path, std::ios::binary);
  if (!file) Throw(ErrorCode::kNotFound, "{}: can't be read ({})", path, std::strerror(errno));
  const std::uintmax_t bytes = fs::file_size(path, error);
  if (!error && bytes > kMostFileBytes) {
    Throw(ErrorCode::kCorrupt, "{}: {} bytes, expected at most {}", path, bytes, kMostFileBytes);
  }
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) Throw(ErrorCode::kUnavailable, "{}: can't be read to its end", path);
  return text;
}

std::vector<std::string> FilesBelow(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ".jsonl") {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) Throw(ErrorCode::kNotFound, "{}: no *.jsonl in this folder", folder);
  return files;
}

std::vector<std::string> Matches(const std::string& pattern) {
  glob_t found = {};
  const int status = glob(pattern.c_str(), 0, nullptr, &found);
  std::vector<std::string> files;
  if (status == 0) files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  if (files.empty()) Throw(ErrorCode::kNotFound, "{}: matches no file", pattern);
  return files;
}

void Append(RecordSet& to, RecordSet from) {
  std::move(from.records.begin(), from.records.end(), std::back_inserter(to.records));
  std::move(from.torn.begin(), from.torn.end(), std::back_inserter(to.torn));
  to.notes.Add(from.notes);
}

nlohmann::ordered_json NoteStart() { return {{"schema_version", bench::kRunRecordVersion}}; }

}  // namespace

void SeriesNotes::AddAlias(const std::string& old_key, const std::string& new_key,
                           const std::string& reason) {
  const auto known = aliases_.find(old_key);
  if (known != aliases_.end() && known->second.now != new_key) {
    Throw(ErrorCode::kCorrupt, "{} is an alias of {} already, now of {}", old_key,
          known->second.now, new_key);
  }
  if (Current(new_key) == old_key) {
    Throw(ErrorCode::kCorrupt, "{} would be an alias of itself", old_key);
  }
  aliases_.try_emplace(old_key, Alias{new_key, reason});
}

void SeriesNotes::AddRemoval(const std::string& key, const std::string& reason) {
  const auto [known, added] = removed_.try_emplace(key, reason);
  if (!added && known->second != reason) {
    Throw(ErrorCode::kCorrupt, "{} is removed twice, for '{}' and for '{}'", key, known->second,
          reason);
  }
}

void SeriesNotes::Add(const SeriesNotes& other) {
  for (const auto& [key, alias] : other.aliases_) AddAlias(key, alias.now, alias.reason);
  for (const auto& [key, reason] : other.removed_) AddRemoval(key, reason);
}

std::string SeriesNotes::Current(const std::string& key) const {
  std::string current = key;
  for (auto it = aliases_.find(current); it != aliases_.end(); it = aliases_.find(current)) {
    current = it->second.now;
  }
  return current;
}

const std::string* SeriesNotes::Removal(const std::string& key) const {
  const auto it = removed_.find(key);
  return it == removed_.end() ? nullptr : &it->second;
}

std::vector<std::string> SeriesNotes::Lines() const {
  std::vector<std::string> lines;
  const auto add = [&lines](const nlohmann::ordered_json& json) {
    lines.push_back(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  };
  for (const auto& [key, alias] : aliases_) {
    auto json = NoteStart();
    json["alias"] = key;
    json["now"] = alias.now;
    json["reason"] = alias.reason;
    add(json);
  }
  for (const auto& [key, reason] : removed_) {
    auto json = NoteStart();
    json["removed"] = key;
    json["reason"] = reason;
    add(json);
  }
  return lines;
}

RecordSet ParseRecords(std::string_view text, const std::string& file) {
  RecordSet set;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    const bool whole = end != std::string_view::npos;
    std::string_view line = text.substr(0, end);
    text.remove_prefix(whole ? end + 1 : text.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::string where = fmt::format("{}:{}", file, number);
    try {
      if (ParseNoteLine(line, set.notes)) continue;
      set.records.push_back({bench::ParseRecord(line), file, number});
    } catch (const Error& error) {
      if (whole) throw error.In(where);
      set.torn.push_back(fmt::format("{}: torn last line, left out: {}", where, error.message()));
    }
  }
  return set;
}

std::vector<std::string> ExpandPaths(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (fs::is_directory(path, error)) {
      const std::vector<std::string> below = FilesBelow(path);
      files.insert(files.end(), below.begin(), below.end());
    } else if (!fs::exists(path, error) && path.find_first_of("*?[") != std::string::npos) {
      const std::vector<std::string> matches = ExpandPaths(Matches(path));
      files.insert(files.end(), matches.begin(), matches.end());
    } else {
      files.push_back(path);
    }
  }
  return files;
}

RecordSet LoadRecords(const std::vector<std::string>& paths) {
  RecordSet set;
  for (const std::string& file : ExpandPaths(paths)) {
    Append(set, ParseRecords(ReadAll(file), file));
  }
  return set;
}

std::map<std::string, std::vector<const LoadedRecord*>> BySeries(const RecordSet& set) {
  std::map<std::string, std::vector<const LoadedRecord*>> series;
  for (const LoadedRecord& loaded : set.records) {
    series[set.notes.Current(loaded.record.series().ToString())].push_back(&loaded);
  }
  for (auto& [key, records] : series) {
    std::stable_sort(records.begin(), records.end(),
                     [](const LoadedRecord* a, const LoadedRecord* b) {
                       return a->record.environment.date < b->record.environment.date;
                     });
  }
  return series;
}

std::vector<RecordSet> SplitRuns(const RecordSet& set) {
  // The date has seconds; the file tells apart what two programs wrote at once.
  std::map<std::pair<std::string, std::string>, RecordSet> runs;
  for (const LoadedRecord& loaded : set.records) {
    RecordSet& run = runs[{loaded.record.environment.date, loaded.file}];
    run.notes = set.notes;
    run.records.push_back(loaded);
  }
  std::vector<RecordSet> split;
  for (auto& [when, run] : runs) split.push_back(std::move(run));
  return split;
}

}  // namespace xdna::reports
