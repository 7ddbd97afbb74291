#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "decoder/text/output.h"

namespace xdna::decoder {
namespace {

[[noreturn]] void Fail(const std::string& path, int number) {
  Throw(ErrorCode::kUnavailable, "{}: can't write: {}", path,
        std::generic_category().message(number));
}

// Returns errno, 0 for success.
int WriteAll(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(file, content.data(), content.size());
    if (written < 0 && errno != EINTR) return errno;
    if (written > 0) content.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

// Closes `file`; returns `number`, or the error of closing if that is 0.
int Close(int file, int number) { return close(file) != 0 && number == 0 ? errno : number; }

void WriteDirectly(const std::string& path, std::string_view content) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) Fail(path, errno);
  if (const int number = Close(file, WriteAll(file, content)); number != 0) Fail(path, number);
}

// The file that `path` leads to through links.
std::string Target(const std::string& path) {
  std::error_code error;
  const auto target = std::filesystem::canonical(path, error);
  return error ? path : target.string();
}

}  // namespace

void WriteFileWhole(const std::string& path, std::string_view content) {
  struct stat info {};
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) Fail(path, EISDIR);
  if (exists && !S_ISREG(info.st_mode)) return WriteDirectly(path, content);
  const std::string target = Target(path);
  if (exists && access(target.c_str(), W_OK) != 0) Fail(path, errno);

  const std::string partial = fmt::format("{}.{}.partial", target, getpid());
  const int file =
      open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (file < 0) Fail(path, errno);
  int number = WriteAll(file, content);
  if (number == 0 && exists && fchmod(file, info.st_mode & 07777) != 0) number = errno;
  number = Close(file, number);
  if (number == 0 && rename(partial.c_str(), target.c_str()) != 0) number = errno;
  if (number != 0) {
    unlink(partial.c_str());
    Fail(path, number);
  }
}

}  // namespace xdna::decoder
