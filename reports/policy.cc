#include "reports/policy.h"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "bench/strict_json.h"

namespace xdna::reports {
namespace {

constexpr int kPolicyVersion = 1;
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

Calibration ParseCalibration(const nlohmann::json& json) {
  bench::JsonFields fields(json, "calibration");
  Calibration c;
  c.machine_class = fields.Text("machine_class");
  c.date = fields.Text("date");
  c.git_revision = fields.Text("git_revision");
  c.command = fields.Text("command");
  c.runs = static_cast<int>(fields.Integer("runs", 0, 1 << 20));
  c.comparisons = static_cast<int>(fields.Integer("comparisons", 0, 1 << 30));
  c.false_alarm_rate = Fraction(fields, "false_alarm_rate", 1);
  c.smallest_caught = BySeriesKey(fields, "smallest_caught");
  fields.ExpectNoMore();
  return c;
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
  p.calibration = ParseCalibration(fields.Take("calibration"));
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
  const Calibration& c = p.calibration;
  auto& calibration = json["calibration"];
  calibration["machine_class"] = c.machine_class;
  calibration["date"] = c.date;
  calibration["git_revision"] = c.git_revision;
  calibration["command"] = c.command;
  calibration["runs"] = c.runs;
  calibration["comparisons"] = c.comparisons;
  calibration["false_alarm_rate"] = c.false_alarm_rate;
  calibration["smallest_caught"] = c.smallest_caught;
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace xdna::reports
