#include "reports/dashboard/page.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/program.h"

namespace xdna::dashboard {
namespace {

// In the order in which they depend on each other; all are one script in the page.
constexpr const char* kScripts[] = {
    "data",          "state",         "dom",           "table",         "chart",
    "view_headline", "view_ladder",   "view_history",  "view_roofline", "view_budget",
    "view_sweep",    "view_coverage", "view_headroom", "view_records",  "main",
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) Throw(ErrorCode::kNotFound, "{}: can't be read", path);
  return text;
}

std::string ReadAsset(const std::string& name) {
  const std::string path = RunfilePath("reports/dashboard/page/" + name);
  if (path.empty()) {
    Throw(ErrorCode::kNotFound, "page/{}: not beside this program; start it with bazel run", name);
  }
  return ReadFile(path);
}

std::string PlottingLibrary() {
  const std::string path = RunfilePath("../plotly/plotly.min.js");
  if (!path.empty()) return ReadFile(path);
  const std::string absent = RunfilePath("../plotly/ABSENT.txt");
  std::string reason = absent.empty() ? "not beside this program" : ReadFile(absent);
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  Throw(ErrorCode::kUnavailable, "the plotting library Plotly.js is not here: {}", reason);
}

std::string Script() {
  std::string script = "(() => {\n'use strict';\n";
  for (const char* name : kScripts) script += ReadAsset(fmt::format("{}.js", name));
  return script + "})();\n";
}

// Nothing in the data can end the element that it lies in.
std::string EmbeddedJson(const nlohmann::json& data) {
  const std::string plain = data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string safe;
  safe.reserve(plain.size());
  for (const char c : plain) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace

std::string MakePage(const nlohmann::json& data) {
  const std::string layout = ReadAsset("page.html");
  const std::pair<const char*, std::string> parts[] = {{"{{style}}", ReadAsset("style.css")},
                                                       {"{{data}}", EmbeddedJson(data)},
                                                       {"{{plotly}}", PlottingLibrary()},
                                                       {"{{script}}", Script()}};
  // From left to right in the template, so that no part is searched for another's mark.
  std::string page;
  std::size_t from = 0;
  for (const auto& [mark, text] : parts) {
    const std::size_t at = layout.find(mark, from);
    if (at == std::string::npos) Throw(ErrorCode::kInternal, "page.html: no {}", mark);
    page += layout.substr(from, at - from) + text;
    from = at + std::string(mark).size();
  }
  return page + layout.substr(from);
}

}  // namespace xdna::dashboard
