#include "reports/gate_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace xdna::reports {
namespace {

constexpr std::array<const char*, 6> kResults = {
    "fine", "slower", "not comparable", "wrong result or lost verdict", "ambiguous", "bad input"};

std::string Ms(const std::optional<double>& seconds) {
  return seconds ? fmt::format("{:.4g}", 1e3 * *seconds) : "-";
}

std::string Change(const Finding& f) {
  return f.base_s ? fmt::format("{:+.1f} %", 100 * f.change) : "-";
}

std::string PValue(const Finding& f) {
  if (!f.base_s || f.modelled) return "-";
  return f.p_value < 1e-4 ? "<1e-4" : fmt::format("{:.2g}", f.p_value);
}

std::string Threshold(const Finding& f) {
  if (!f.base_s) return "-";
  return f.modelled ? "exact" : fmt::format("{:.1f} %", 100 * f.threshold);
}

std::string Rtf(const Finding& f) {
  if (!f.base_rtf || !f.new_rtf) return "";
  return fmt::format("{:.0f}x -> {:.0f}x", *f.base_rtf, *f.new_rtf);
}

const char* ColorOf(const Finding& f) {
  if (f.outcome == Outcome::kFaster || f.outcome == Outcome::kRepaired) return "32";
  return ExitCodeOf(f.outcome) == kGateFine ? "0" : "31";
}

// "1 slower, 5 same".
std::string Counts(const GateResult& result) {
  std::map<std::string, int> counts;
  for (const Finding& f : result.findings) ++counts[OutcomeName(f.outcome)];
  std::string text;
  for (const auto& [name, count] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
  }
  return text;
}

std::string ResultLine(const GateResult& result) {
  return fmt::format("{} (exit code {}): {}", kResults.at(result.exit_code), result.exit_code,
                     Counts(result));
}

std::string XmlEscaped(const std::string& text) {
  std::string escaped;
  for (char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        // XML 1.0 has no other control characters.
        escaped += (c >= 0 && c < ' ' && c != '\t' && c != '\n') ? '?' : c;
    }
  }
  return escaped;
}

std::string MarkdownCell(const std::string& text) {
  std::string cell;
  for (char c : text) {
    if (c == '|') cell += '\\';
    cell += c == '\n' ? ' ' : c;
  }
  return cell;
}

std::string MarkdownRow(const Finding& f) {
  return fmt::format("| `{}` | {}{} | {} | {} | {} | {} | {} | {} |\n", MarkdownCell(f.series),
                     OutcomeName(f.outcome), f.modelled ? " (modelled)" : "", Ms(f.base_s),
                     Ms(f.new_s), Change(f), Threshold(f), Rtf(f), MarkdownCell(f.why));
}

constexpr const char* kMarkdownHeader =
    "| series | outcome | base ms | new ms | change | noise | RTF | why |\n"
    "|---|---|--:|--:|--:|--:|---|---|\n";

nlohmann::ordered_json JsonOf(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

}  // namespace

std::string GateTable(const GateResult& result, bool color) {
  std::size_t width = 6;
  for (const Finding& f : result.findings) width = std::max(width, f.series.size());
  std::string text =
      fmt::format("{:<{}}  {:<14} {:>9} {:>9} {:>9} {:>8} {:>7}  {}\n", "series", width, "outcome",
                  "base ms", "new ms", "change", "noise", "p", "RTF");
  for (const Finding& f : result.findings) {
    const std::string name = fmt::format("{:<14}", OutcomeName(f.outcome));
    text += fmt::format("{:<{}}  {} {:>9} {:>9} {:>9} {:>8} {:>7}  {}\n", f.series, width,
                        color ? fmt::format("\033[{}m{}\033[0m", ColorOf(f), name) : name,
                        Ms(f.base_s), Ms(f.new_s), Change(f), Threshold(f), PValue(f), Rtf(f));
    if (!f.why.empty()) text += fmt::format("    {}\n", f.why);
  }
  for (const std::string& note : result.notes) text += fmt::format("note: {}\n", note);
  return text + ResultLine(result) + "\n";
}

std::string GateMarkdown(const GateResult& result) {
  std::string text =
      fmt::format("### {} Benchmarks: {}\n\n", result.exit_code ? "❌" : "✅", ResultLine(result));
  std::string news;
  std::string rest;
  for (const Finding& f : result.findings) {
    const bool quiet = f.outcome == Outcome::kSame || f.outcome == Outcome::kNoTime;
    (quiet ? rest : news) += MarkdownRow(f);
  }
  if (!news.empty()) text += kMarkdownHeader + news + "\n";
  if (!rest.empty()) {
    text += fmt::format("<details><summary>Unchanged</summary>\n\n{}{}\n</details>\n\n",
                        kMarkdownHeader, rest);
  }
  for (const std::string& note : result.notes) text += fmt::format("* {}\n", note);
  return text;
}

std::string GateJunit(const GateResult& result) {
  std::string cases;
  int failures = 0;
  for (const Finding& f : result.findings) {
    const std::string numbers =
        fmt::format("base {} ms, new {} ms, change {}, noise {}, p {}", Ms(f.base_s), Ms(f.new_s),
                    Change(f), Threshold(f), PValue(f));
    cases += fmt::format("  <testcase classname=\"gate\" name=\"{}\" time=\"{:.9f}\">",
                         XmlEscaped(f.series), f.new_s.value_or(0));
    if (ExitCodeOf(f.outcome) != kGateFine) {
      ++failures;
      cases += fmt::format("<failure type=\"{}\" message=\"{}\">{}</failure>",
                           OutcomeName(f.outcome), XmlEscaped(f.why), XmlEscaped(numbers));
    }
    cases += "</testcase>\n";
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<testsuite name=\"gate\" tests=\"{}\" failures=\"{}\">\n{}</testsuite>\n",
      result.findings.size(), failures, cases);
}

std::string GateJson(const GateResult& result) {
  nlohmann::ordered_json json;
  json["exit_code"] = result.exit_code;
  json["result"] = kResults.at(result.exit_code);
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& f : result.findings) {
    const bool timed = f.base_s.has_value();
    nlohmann::ordered_json finding;
    finding["series"] = f.series;
    finding["outcome"] = OutcomeName(f.outcome);
    finding["why"] = f.why;
    finding["modelled"] = f.modelled;
    finding["base_s"] = JsonOf(f.base_s);
    finding["new_s"] = JsonOf(f.new_s);
    finding["change"] = JsonOf(timed ? std::optional(f.change) : std::nullopt);
    finding["p_value"] = JsonOf(timed && !f.modelled ? std::optional(f.p_value) : std::nullopt);
    finding["threshold"] = JsonOf(timed && !f.modelled ? std::optional(f.threshold) : std::nullopt);
    finding["base_rtf"] = JsonOf(f.base_rtf);
    finding["new_rtf"] = JsonOf(f.new_rtf);
    json["findings"].push_back(std::move(finding));
  }
  json["notes"] = result.notes;
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace xdna::reports
