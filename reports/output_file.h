// Files that reports write.
#ifndef REPORTS_OUTPUT_FILE_H_
#define REPORTS_OUTPUT_FILE_H_

#include <string>

namespace xdna::reports {

// Replaces the file at `path` whole, or leaves it as it was; "-" is standard output. Throws
// kUnavailable.
void WriteFile(const std::string& path, const std::string& text);

}  // namespace xdna::reports

#endif  // REPORTS_OUTPUT_FILE_H_
