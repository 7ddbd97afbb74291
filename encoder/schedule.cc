#include "encoder/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "base/program.h"

namespace xdna::encoder {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFolder = "encoder/schedules/";
// In the ladder's order.
constexpr const char* kNames[] = {"phase0-naive",     "phase1-batched", "phase1-reuse",
                                  "phase2-attention", "phase3-ffn",     "phase4-overlap",
                                  "phase5-int8",      "phase6-resident"};

template <typename T>
struct Word {
  T value;
  const char* word;
};
constexpr Word<Place> kPlaces[] = {{Place::kCpu, "cpu"}, {Place::kNpu, "npu"}};
constexpr Word<AttentionForm> kForms[] = {{AttentionForm::kHost, "host"},
                                          {AttentionForm::kChained, "chained"},
                                          {AttentionForm::kFused, "fused"}};
constexpr Word<device::Keep> kKeeps[] = {{device::Keep::kNothing, "fresh"},
                                         {device::Keep::kContext, "context"},
                                         {device::Keep::kRunlists, "runlist"}};
constexpr Word<bool> kPrecisions[] = {{false, "bf16"}, {true, "int8"}};
constexpr const char* kNorms[] = {"add_norm_f32",
                                  "layer_norm_bf16",
                                  "layer_norm_one_pass_bf16",
                                  "layer_norm_nosqrt0_bf16",
                                  "layer_norm_nosqrt1_bf16",
                                  "layer_norm_nosqrt2_bf16",
                                  "layer_norm_nosqrt3_bf16"};

template <typename T, std::size_t kCount>
const char* WordOf(const Word<T> (&words)[kCount], T value) {
  for (const Word<T>& one : words) {
    if (one.value == value) return one.word;
  }
  return "";
}

// The fields of an object, each taken once.
class Fields {
 public:
  Fields(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
    if (!json.is_object()) Fail("", fmt::format("found {}, want an object", json.type_name()));
  }

  bool Has(const char* name) const { return json_.contains(name); }

  std::string Text(const char* name) {
    const Json& value = Take(name);
    if (!value.is_string()) Fail(name, fmt::format("found {}, want a text", value.dump()));
    return value.get<std::string>();
  }
  double Number(const char* name) {
    const Json& value = Take(name);
    if (!value.is_number()) Fail(name, fmt::format("found {}, want a number", value.dump()));
    return value.get<double>();
  }
  bool Flag(const char* name) {
    const Json& value = Take(name);
    if (!value.is_boolean()) Fail(name, fmt::format("found {}, want true or false", value.dump()));
    return value.get<bool>();
  }
  std::int64_t Integer(const char* name, std::int64_t least, std::int64_t most) {
    const Json& value = Take(name);
    if (!value.is_number_integer() || value.get<std::int64_t>() < least ||
        value.get<std::int64_t>() > most) {
      Fail(name, fmt::format("found {}, want an integer from {} to {}", value.dump(), least, most));
    }
    return value.get<std::int64_t>();
  }
  template <typename T, std::size_t kCount>
  T OneOf(const char* name, const Word<T> (&words)[kCount]) {
    const std::string text = Text(name);
    std::string all;
    for (const Word<T>& one : words) {
      if (text == one.word) return one.value;
      all += fmt::format("{}{}", all.empty() ? "" : ", ", one.word);
    }
    Fail(name, fmt::format("found \"{}\", want one of {}", text, all));
  }
  const Json& Take(const char* name) {
    taken_.insert(name);
    if (!Has(name)) Fail(name, "missing");
    return json_.at(name);
  }

  void ExpectNoMore() const {
    for (const auto& [name, value] : json_.items()) {
      if (!taken_.contains(name)) Fail(name, "no such field");
    }
  }
  [[noreturn]] void Fail(const std::string& name, const std::string& what) const {
    const std::string dot = path_.empty() || name.empty() ? "" : ".";
    Throw(ErrorCode::kCorrupt, "{}{}{}: {}", path_, dot, name, what);
  }

 private:
  const Json& json_;
  std::string path_;
  std::set<std::string, std::less<>> taken_;
};

Json ParseOnce(std::string_view text) {
  std::vector<std::set<std::string>> keys;
  std::string twice;
  const Json::parser_callback_t look = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
      twice = value.get<std::string>();
    }
    return true;
  };
  try {
    Json json = Json::parse(text, look);
    if (!twice.empty()) Throw(ErrorCode::kCorrupt, "{}: there twice", twice);
    return json;
  } catch (const Json::exception& error) {
    Throw(ErrorCode::kCorrupt, "not JSON: {}", error.what());
  }
}

Assumption ParseAssumption(const Json& json, const std::string& path) {
  Fields f(json, path);
  Assumption a;
  a.name = f.Text("name");
  if (f.Has("value")) a.value = f.Number("value");
  if (!(a.value >= 0 && a.value < 1e9))
    f.Fail("value", fmt::format("found {}, want 0 to 1e9", a.value));
  a.fitted = f.Flag("fitted");
  a.why = f.Text("why");
  f.ExpectNoMore();
  return a;
}

void CheckWhole(const Schedule& s, const Fields& f) {
  if (std::ranges::find(kNorms, s.norm) == std::end(kNorms)) {
    f.Fail("norm", fmt::format("found \"{}\", want one of {}", s.norm, fmt::join(kNorms, ", ")));
  }
  if (s.tile_m % 4 != 0 || s.tile_k % 8 != 0 || s.tile_n % 8 != 0) {
    f.Fail("tile",
           fmt::format("found {}x{}x{}, want multiples of 4x8x8", s.tile_m, s.tile_k, s.tile_n));
  }
  if (s.columns == 3) f.Fail("columns", "found 3, want 1, 2 or 4");
  if (s.norm_columns > s.columns) {
    f.Fail("norm_columns",
           fmt::format("found {}, want at most columns, {}", s.norm_columns, s.columns));
  }
  const bool fused = s.norm == "add_norm_f32";
  if (fused &&
      (!s.resident || s.stem != Place::kNpu || s.out != Place::kNpu || s.ffn != Place::kNpu)) {
    f.Fail("norm",
           "add_norm_f32 takes its operands from device memory: stem, out and ffn must be "
           "npu, and resident true");
  }
  if (fused && s.norm_batch != 0) f.Fail("norm_batch", "add_norm_f32 takes all rows: want 0");
  if (s.keep == device::Keep::kNothing && (s.resident || s.precision == "int8")) {
    f.Fail("keep", "\"fresh\" buffers hold nothing for the next op: want resident false and bf16");
  }
  if (s.one_run && !s.WholeOnNpu()) {
    f.Fail("one_run",
           "needs all parts on the npu, attention fused, norm add_norm_f32, resident "
           "and bf16");
  }
  if (s.overlap && s.keep != device::Keep::kRunlists) f.Fail("overlap", "needs keep \"runlist\"");
}

std::string Words(const Schedule& s, const std::string& field) {
  const Json json = Json::parse(ScheduleJson(s));
  return json.at(field).is_string() ? json.at(field).get<std::string>() : json.at(field).dump();
}

}  // namespace

double Schedule::Assumed(std::string_view assumption) const {
  for (const Assumption& a : assumptions) {
    if (a.name == assumption) return a.value;
  }
  return 0;
}

bool Schedule::WholeOnNpu() const {
  return stem == Place::kNpu && qkv == Place::kNpu && out == Place::kNpu && ffn == Place::kNpu &&
         attention == AttentionForm::kFused && norm == "add_norm_f32" && resident &&
         precision == "bf16";
}

Schedule ParseSchedule(std::string_view text) {
  const Json json = ParseOnce(text);
  Fields f(json, "");
  Schedule s;
  s.name = f.Text("name");
  s.claim = f.Text("claim");
  s.claimed_rtf = f.Number("claimed_rtf");
  s.description = f.Text("description");
  s.precision = f.OneOf("precision", kPrecisions) ? "int8" : "bf16";
  s.stem = f.OneOf("stem", kPlaces);
  s.qkv = f.OneOf("qkv", kPlaces);
  s.attention = f.OneOf("attention", kForms);
  s.out = f.OneOf("out", kPlaces);
  s.ffn = f.OneOf("ffn", kPlaces);
  s.norm = f.Text("norm");
  s.norm_batch = f.Integer("norm_batch", 0, 1 << 20);
  s.columns = f.Integer("columns", 1, 4);
  s.norm_columns = f.Integer("norm_columns", 1, 4);
  s.tile_m = f.Integer("tile_m", 4, 512);
  s.tile_k = f.Integer("tile_k", 8, 512);
  s.tile_n = f.Integer("tile_n", 8, 512);
  s.queries = f.Integer("queries", 4, 512);
  s.keys = f.Integer("keys", 8, 512);
  s.table_gelu = f.Flag("table_gelu");
  s.keep = f.OneOf("keep", kKeeps);
  s.resident = f.Flag("resident");
  s.one_run = f.Flag("one_run");
  s.overlap = f.Flag("overlap");
  const Json& list = f.Take("assumptions");
  if (!list.is_array())
    f.Fail("assumptions", fmt::format("found {}, want a list", list.type_name()));
  for (std::size_t i = 0; i < list.size(); ++i) {
    s.assumptions.push_back(ParseAssumption(list[i], fmt::format("assumptions[{}]", i)));
  }
  f.ExpectNoMore();
  CheckWhole(s, f);
  return s;
}

std::string ScheduleJson(const Schedule& s) {
  Json json;
  json["name"] = s.name;
  json["claim"] = s.claim;
  json["claimed_rtf"] = s.claimed_rtf;
  json["description"] = s.description;
  json["precision"] = s.precision;
  json["stem"] = WordOf(kPlaces, s.stem);
  json["qkv"] = WordOf(kPlaces, s.qkv);
  json["attention"] = WordOf(kForms, s.attention);
  json["out"] = WordOf(kPlaces, s.out);
  json["ffn"] = WordOf(kPlaces, s.ffn);
  json["norm"] = s.norm;
  json["norm_batch"] = s.norm_batch;
  json["columns"] = s.columns;
  json["norm_columns"] = s.norm_columns;
  json["tile_m"] = s.tile_m;
  json["tile_k"] = s.tile_k;
  json["tile_n"] = s.tile_n;
  json["queries"] = s.queries;
  json["keys"] = s.keys;
  json["table_gelu"] = s.table_gelu;
  json["keep"] = WordOf(kKeeps, s.keep);
  json["resident"] = s.resident;
  json["one_run"] = s.one_run;
  json["overlap"] = s.overlap;
  json["assumptions"] = Json::array();
  for (const Assumption& a : s.assumptions) {
    json["assumptions"].push_back(
        {{"name", a.name}, {"value", a.value}, {"fitted", a.fitted}, {"why", a.why}});
  }
  return json.dump(2);
}

std::vector<std::string> ScheduleNames() { return {std::begin(kNames), std::end(kNames)}; }

Schedule FindSchedule(const std::string& name_or_path) {
  const bool file = name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".json");
  const bool known = std::ranges::find(kNames, name_or_path) != std::end(kNames);
  if (!file && !known) {
    Throw(ErrorCode::kNotFound, "no schedule \"{}\"; there are {}, and files of your own (*.json)",
          name_or_path, fmt::join(kNames, ", "));
  }
  const std::string path =
      file ? UserPath(name_or_path) : RunfilePath(kFolder + name_or_path + ".json");
  return WithContext(file ? name_or_path : path, [&] {
    std::ifstream stream(path);
    if (!stream) Throw(ErrorCode::kNotFound, "can't be read");
    std::ostringstream text;
    text << stream.rdbuf();
    return ParseSchedule(text.str());
  });
}

std::string KeepName(device::Keep keep) { return WordOf(kKeeps, keep); }

std::string Explain(const Schedule& s) {
  std::string text = fmt::format("{}  claimed: {}\n  {}\n", s.name, s.claim, s.description);
  const Json json = Json::parse(ScheduleJson(s));
  for (const auto& [field, value] : json.items()) {
    if (field == "name" || field == "claim" || field == "claimed_rtf" || field == "description" ||
        field == "assumptions") {
      continue;
    }
    text += fmt::format("  {:14} {}\n", field, Words(s, field));
  }
  for (const Assumption& a : s.assumptions) {
    text += fmt::format("  assumed{} {}{}: {}\n", a.fitted ? ", fitted:" : ":", a.name,
                        a.value > 0 ? fmt::format(" = {}", a.value) : "", a.why);
  }
  return text;
}

std::string ExplainAgainst(const Schedule& s, const Schedule& other) {
  std::string text = fmt::format("{} against {}\n", s.name, other.name);
  const Json mine = Json::parse(ScheduleJson(s)), theirs = Json::parse(ScheduleJson(other));
  for (const auto& [field, value] : mine.items()) {
    if (field == "name" || field == "description" || value == theirs.at(field)) continue;
    if (field == "assumptions") {
      text +=
          fmt::format("  {:14} {} instead of {}\n", field, value.size(), theirs.at(field).size());
      continue;
    }
    text += fmt::format("  {:14} {} instead of {}\n", field, Words(s, field), Words(other, field));
  }
  return text;
}

}  // namespace xdna::encoder
