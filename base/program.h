// What every command-line program of the project shares: exit codes, one-line
// errors, and paths relative to where the user stands.
#ifndef BASE_PROGRAM_H_
#define BASE_PROGRAM_H_

#include <functional>
#include <string>

namespace xdna {

// Exit codes of all programs.
inline constexpr int kExitOk = 0;
inline constexpr int kExitWrong = 1;     // ran, and a verdict is not "passed"
inline constexpr int kExitBadInput = 2;  // usage, or an input that can't be used
inline constexpr int kExitFailed = 3;    // anything else

// Runs `body` and turns an exception into one line "NAME: message" on standard
// error and an exit code; standard output is flushed and checked, so that a full
// disk or a closed pipe is not taken for success.
int RunProgram(const char* name, const std::function<int()>& body);

// `path` as the user meant it: `bazel run` changes directory, and says where the
// user stood in BUILD_WORKING_DIRECTORY. Absolute paths and "-" stay.
std::string UserPath(const std::string& path);

// The file at `path` ("golden/x.h5", or "../repo/x") in the runfiles of this
// program; empty if it is not there. `external` files are "repo/path".
std::string RunfilePath(const std::string& path);

}  // namespace xdna

#endif  // BASE_PROGRAM_H_
