#include "bench/tune_cache.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "bench/strict_json.h"
#include "bench/user_cache.h"
#include "golden/compare.h"

namespace xdna::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kFormat = 1;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;
constexpr std::int64_t kMost = 1'000'000'000;

nlohmann::ordered_json ToJson(const TuneRow& row) {
  nlohmann::ordered_json json;
  json["tile"] = row.choice.tile;
  json["columns"] = row.choice.columns;
  json["cycles"] = row.cycles;
  json["us"] = row.us;
  json["bound"] = row.bound;
  json["verdict"] = golden::StatusName(row.verdict.status);
  json["reason"] = row.verdict.reason;
  const auto& headroom = row.verdict.headroom_percent;
  json["headroom_percent"] = headroom ? nlohmann::ordered_json(*headroom) : nullptr;
  json["tolerance"] = row.verdict.tolerance;
  return json;
}

std::string ToText(const TuneKey& key, const TuneResult& result, const std::string& date) {
  nlohmann::ordered_json json;
  json["format"] = kFormat;
  json["key"] = key;
  json["date"] = date;
  json["legal"] = result.legal;
  json["refused"] = result.refused;
  json["winner"] = result.winner.value();
  json["rows"] = nlohmann::ordered_json::array();
  for (const TuneRow& row : result.rows) json["rows"].push_back(ToJson(row));
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

golden::Status StatusOf(const std::string& name, const std::string& path) {
  for (const golden::Status status :
       {golden::Status::kPassed, golden::Status::kFailed, golden::Status::kMistrusted,
        golden::Status::kSkipped, golden::Status::kUnsupported}) {
    if (name == golden::StatusName(status)) return status;
  }
  Throw(ErrorCode::kCorrupt, "{}: no such verdict", path);
}

TuneRow RowOf(const nlohmann::json& json, const std::string& path) {
  JsonFields fields(json, path);
  TuneRow row;
  row.choice.tile = fields.Text("tile");
  row.choice.columns = static_cast<std::size_t>(fields.Integer("columns", 1, 16));
  row.cycles = fields.Number("cycles");
  row.us = fields.Number("us");
  row.bound = fields.Text("bound");
  row.verdict.status = StatusOf(fields.Text("verdict"), fields.PathOf("verdict"));
  row.verdict.reason = fields.Text("reason");
  const nlohmann::json& headroom = fields.Take("headroom_percent");
  if (!headroom.is_null()) {
    row.verdict.headroom_percent =
        JsonFields::NumberIn(headroom, fields.PathOf("headroom_percent"));
  }
  row.verdict.tolerance = fields.Text("tolerance");
  fields.ExpectNoMore();
  return row;
}

TuneCache::Found Parse(const std::string& text, const TuneKey& key) {
  const nlohmann::json json = ParseStrictJson(text, kMostBytes);
  JsonFields fields(json, "");
  fields.Integer("format", kFormat, kFormat);
  if (fields.Texts("key") != key) Throw(ErrorCode::kCorrupt, "key: made for something else");
  TuneCache::Found found;
  found.date = fields.Text("date");
  TuneResult& result = found.result;
  result.legal = fields.Integer("legal", 1, kMost);
  const nlohmann::json& refused = fields.Take("refused");
  JsonFields counts(refused, "refused");
  for (const auto& item : refused.items()) {
    result.refused[item.key()] = counts.Integer(item.key(), 0, kMost);
  }
  const nlohmann::json& rows = fields.Take("rows");
  if (!rows.is_array()) Throw(ErrorCode::kCorrupt, "rows: no list");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    result.rows.push_back(RowOf(rows[i], fmt::format("rows[{}]", i)));
  }
  const std::int64_t last = std::ssize(result.rows) - 1;
  if (last < 0) Throw(ErrorCode::kCorrupt, "rows: empty");
  result.winner = static_cast<std::size_t>(fields.Integer("winner", 0, last));
  if (!result.best().verdict.passed() || result.best().us <= 0) {
    Throw(ErrorCode::kCorrupt, "winner: has no passed verdict with a time");
  }
  fields.ExpectNoMore();
  return found;
}

}  // namespace

std::string TuneCache::PathOf(const TuneKey& key) const {
  const std::string text =
      nlohmann::json(key).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return (fs::path(folder_) / (Sha256(text.data(), text.size()) + ".json")).string();
}

std::optional<TuneCache::Found> TuneCache::Find(const TuneKey& key, std::string& warning) const {
  if (folder_.empty()) return std::nullopt;
  const std::string path = PathOf(key);
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(kMostBytes + 1, '\0');
  file.read(text.data(), std::ssize(text));
  text.resize(static_cast<std::size_t>(file.gcount()));
  try {
    return Parse(text, key);
  } catch (const Error& error) {
    warning = fmt::format("{}: {}; not used", path, error.message());
    return std::nullopt;
  }
}

void TuneCache::Keep(const TuneKey& key, const TuneResult& result, const std::string& date,
                     std::string& warning) const {
  if (folder_.empty() || !result.winner) return;
  const std::string path = PathOf(key);
  if (ReplaceFile(path, ToText(key, result, date))) return;
  warning = fmt::format("{}: can't be written, so the search will be made again", path);
}

}  // namespace xdna::bench
