// The datasets of a capture. golden/hdf5_file.h reads tensors, which have no u16 and u32; these are
// plain arrays of bits.
#ifndef TOOLS_AIE_REPLAY_DATASETS_H_
#define TOOLS_AIE_REPLAY_DATASETS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace xdna::aie_replay {

class CaptureReader {
 public:
  // Throws kNotFound (no such file) or kCorrupt (not HDF5).
  explicit CaptureReader(const std::string& path);
  ~CaptureReader();

  // Dataset `name` ("/a"), which must be unsigned integers of T's width with shape [n] (columns 0)
  // or [n, columns]. Throws kCorrupt.
  template <typename T>
  std::vector<T> Read(const std::string& name, std::size_t columns = 0) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

extern template std::vector<std::uint16_t> CaptureReader::Read(const std::string&,
                                                               std::size_t) const;
extern template std::vector<std::uint32_t> CaptureReader::Read(const std::string&,
                                                               std::size_t) const;

// Writes a file with the one dataset /out [n]. The file appears when it is complete. Throws
// kUnavailable.
template <typename T>
void WriteOut(const std::string& path, const std::vector<T>& values);

extern template void WriteOut(const std::string&, const std::vector<std::uint16_t>&);
extern template void WriteOut(const std::string&, const std::vector<std::uint32_t>&);
extern template void WriteOut(const std::string&, const std::vector<std::int32_t>&);

}  // namespace xdna::aie_replay

#endif  // TOOLS_AIE_REPLAY_DATASETS_H_
