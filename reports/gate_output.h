// The gate's result for people, pull requests and machines.
#ifndef REPORTS_GATE_OUTPUT_H_
#define REPORTS_GATE_OUTPUT_H_

#include <string>

#include "reports/gate.h"

namespace xdna::reports {

// A table, one line a series and why below it, notes, and one line of result. `color`: for a
// terminal.
std::string GateTable(const GateResult& result, bool color);

// For a comment on a pull request: the result, the series that are not "same", the rest folded.
std::string GateMarkdown(const GateResult& result);

// JUnit XML: a test case a series; what makes the exit code non-zero is a failure.
std::string GateJunit(const GateResult& result);

// {"exit_code", "result", "findings": [{"series", "outcome", "why", "modelled", "base_s", "new_s",
// "change", "p_value", "threshold", "base_rtf", "new_rtf"}], "notes"}; null where there is nothing.
std::string GateJson(const GateResult& result);

}  // namespace xdna::reports

#endif  // REPORTS_GATE_OUTPUT_H_
