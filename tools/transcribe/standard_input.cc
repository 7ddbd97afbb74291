#include "tools/transcribe/standard_input.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/error.h"

namespace xdna::transcribe {

StandardInput::StandardInput() {
  if (isatty(STDIN_FILENO) != 0) {
    Throw(ErrorCode::kInvalidArgument, "standard input is a terminal; pipe a WAV file into it");
  }
  file_.reset(std::tmpfile());
  if (!file_) {
    Throw(ErrorCode::kUnavailable, "standard input: no temporary file: {}", std::strerror(errno));
  }
  std::vector<char> block(1 << 16);
  while (true) {
    const ssize_t count = read(STDIN_FILENO, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      Throw(ErrorCode::kUnavailable, "standard input: can't be read: {}", std::strerror(errno));
    }
    if (count == 0) break;
    if (std::fwrite(block.data(), 1, count, file_.get()) != static_cast<std::size_t>(count)) {
      Throw(ErrorCode::kUnavailable, "standard input: can't be copied to a temporary file: {}",
            std::strerror(errno));
    }
  }
  if (std::fflush(file_.get()) != 0) {
    Throw(ErrorCode::kUnavailable, "standard input: can't be copied to a temporary file: {}",
          std::strerror(errno));
  }
  path_ = fmt::format("/proc/self/fd/{}", fileno(file_.get()));
}

}  // namespace xdna::transcribe
