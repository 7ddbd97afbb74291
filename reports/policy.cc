#include "reports/policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "bench/strict_json.h"

namespace xdna::reports {
namespace {

constexpr int kPolicyVersion = 2;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;

double Fraction(bench::JsonFields& fields, const std::string& name, double most) {
  const double value = fields.Number(name);
  if (value < 0 || value > most) {
    Throw(ErrorCode::kCorrupt, "{}: {} is not from 0 to {}", fields.PathOf(name), value, most);
  }
  return value;
}

std::map<std::string, double> BySeriesKey(bench::JsonFields& fields, const std::string& name) {
  std::map<std::string, double> values = fields.Numbers(name);
  for (const auto& [key, value] : values) {
    if (value < 0) Throw(ErrorCode::kCorrupt, "{}: {} is below 0", fields.PathOf(name), value);
  }
  return values;
}

Calibration ParseCalibration(const nlohmann::json& json, const std::string& path) {
  bench::JsonFields fields(json, path);
  Calibration c;
  c.machine_class = fields.Text("machine_class");
  c.date = fields.Text("date");
  c.git_revision = fields.Text("git_revision");
  c.command = fields.Text("command");
  c.records = fields.Text("records");
  c.runs = static_cast<int>(fields.Integer("runs", 0, 1 << 20));
  c.comparisons = static_cast<int>(fields.Integer("comparisons", 0, 1 << 30));
  c.false_alarm_rate = Fraction(fields, "false_alarm_rate", 1);
  c.smallest_caught = BySeriesKey(fields, "smallest_caught");
  fields.ExpectNoMore();
  return c;
}

std::vector<Calibration> ParseCalibrations(const nlohmann::json& json) {
  if (!json.is_array()) {
    Throw(ErrorCode::kCorrupt, "calibrations: {}, expected an array", bench::ShownJson(json));
  }
  std::vector<Calibration> calibrations;
  for (std::size_t i = 0; i < json.size(); ++i) {
    calibrations.push_back(ParseCalibration(json[i], fmt::format("calibrations[{}]", i)));
  }
  return calibrations;
}

nlohmann::ordered_json JsonOf(const Calibration& c) {
  nlohmann::ordered_json json;
  json["machine_class"] = c.machine_class;
  json["date"] = c.date;
  json["git_revision"] = c.git_revision;
  json["command"] = c.command;
  json["records"] = c.records;
  json["runs"] = c.runs;
  json["comparisons"] = c.comparisons;
  json["false_alarm_rate"] = c.false_alarm_rate;
  json["smallest_caught"] = c.smallest_caught;
  return json;
}

}  // namespace

double Policy::SpreadOf(const std::string& series) const {
  const auto it = spread.find(series);
  return it == spread.end() ? default_spread : it->second;
}

double Policy::ThresholdOf(const std::string& series) const {
  return std::max(min_effect, SpreadOf(series));
}

Policy ParsePolicy(std::string_view text) {
  const nlohmann::json json = bench::ParseStrictJson(text, kMostBytes);
  bench::JsonFields fields(json, "");
  fields.Integer("policy_version", kPolicyVersion, kPolicyVersion);
  Policy p;
  p.alpha = Fraction(fields, "alpha", 0.5);
  p.min_effect = Fraction(fields, "min_effect", 10);
  p.max_noise = Fraction(fields, "max_noise", 10);
  p.max_peak_drift = Fraction(fields, "max_peak_drift", 10);
  p.max_load = Fraction(fields, "max_load", 1e6);
  p.spread = BySeriesKey(fields, "spread");
  p.default_spread = Fraction(fields, "default_spread", 10);
  p.calibrations = ParseCalibrations(fields.Take("calibrations"));
  fields.ExpectNoMore();
  return p;
}

Policy LoadPolicy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Throw(ErrorCode::kNotFound, "{}: can't be read", path);
  std::string text;
  text.resize(kMostBytes + 1);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return WithContext(path, [&] { return ParsePolicy(text); });
}

std::string ToJson(const Policy& p) {
  nlohmann::ordered_json json;
  json["policy_version"] = kPolicyVersion;
  json["alpha"] = p.alpha;
  json["min_effect"] = p.min_effect;
  json["max_noise"] = p.max_noise;
  json["max_peak_drift"] = p.max_peak_drift;
  json["max_load"] = p.max_load;
  json["spread"] = p.spread;
  json["default_spread"] = p.default_spread;
  json["calibrations"] = nlohmann::ordered_json::array();
  for (const Calibration& c : p.calibrations) json["calibrations"].push_back(JsonOf(c));
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace xdna::reports
