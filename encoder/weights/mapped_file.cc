#include "encoder/weights/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "base/error.h"

namespace xdna::encoder::internal {
namespace {

struct Descriptor {
  explicit Descriptor(int descriptor) : fd(descriptor) {}
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  const int fd;
};

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to must not hang.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0) Throw(ErrorCode::kNotFound, "can't open: {}", std::strerror(errno));
  struct stat status {};
  if (fstat(file.fd, &status) != 0) {
    Throw(ErrorCode::kUnavailable, "can't stat: {}", std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) Throw(ErrorCode::kCorrupt, "not a regular file");
  if (status.st_size == 0) Throw(ErrorCode::kCorrupt, "empty file; expected a Whisper checkpoint");
  const auto size = static_cast<std::size_t>(status.st_size);
  void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (memory == MAP_FAILED) {
    Throw(ErrorCode::kUnavailable, "can't map {} bytes: {}", size, std::strerror(errno));
  }
  bytes_ = {static_cast<const std::byte*>(memory), size};
}

MappedFile::~MappedFile() { munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }

}  // namespace xdna::encoder::internal
