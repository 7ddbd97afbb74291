// A whole file as read-only memory.
#ifndef ENCODER_WEIGHTS_MAPPED_FILE_H_
#define ENCODER_WEIGHTS_MAPPED_FILE_H_

#include <cstddef>
#include <span>
#include <string>

namespace xdna::encoder::internal {

// The file must not shrink while it is mapped: the kernel would end the process.
class MappedFile {
 public:
  // Throws kNotFound (can't be opened) or kCorrupt (empty, or not a regular file). Messages don't
  // name the file: the caller's context does.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace xdna::encoder::internal

#endif  // ENCODER_WEIGHTS_MAPPED_FILE_H_
