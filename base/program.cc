#include "base/program.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <string>

#include "base/error.h"

namespace xdna {
namespace {

int ExitCodeOf(ErrorCode code) {
  return code == ErrorCode::kInternal || code == ErrorCode::kUnavailable ? kExitFailed
                                                                         : kExitBadInput;
}

// The folder that holds this program's runfiles, or empty.
std::filesystem::path RunfilesRoot() {
  for (const char* variable : {"RUNFILES_DIR", "TEST_SRCDIR"}) {
    if (const char* dir = std::getenv(variable)) return dir;
  }
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path beside = self.string() + ".runfiles";
  return !error && std::filesystem::is_directory(beside, error) ? beside : std::filesystem::path();
}

}  // namespace

int RunProgram(const char* name, const std::function<int()>& body) {
  const auto report = [name](const char* what) { fmt::print(stderr, "{}: {}\n", name, what); };
  int code = kExitFailed;
  try {
    code = body();
  } catch (const Error& error) {
    report(error.what());
    code = ExitCodeOf(error.code());
  } catch (const std::bad_alloc&) {
    report("out of memory");
  } catch (const std::exception& error) {
    report(error.what());
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    report("can't write to standard output");
    if (code == kExitOk) code = kExitFailed;
  }
  return code;
}

std::string UserPath(const std::string& path) {
  const char* stood = std::getenv("BUILD_WORKING_DIRECTORY");
  if (stood == nullptr || path.empty() || path == "-" || path.front() == '/') return path;
  return (std::filesystem::path(stood) / path).string();
}

std::string RunfilePath(const std::string& path) {
  static const std::filesystem::path root = RunfilesRoot();
  if (root.empty()) return "";
  const bool external = path.starts_with("../");
  const auto full = external ? root / path.substr(3) : root / "xdna_whisper_bench" / path;
  std::error_code error;
  return std::filesystem::exists(full, error) ? full.string() : "";
}

}  // namespace xdna
