// The parts of HDF5's C API that need care: identifiers, the error stack, element types. Private to
// golden/hdf5_file.
#ifndef GOLDEN_HDF5_TYPES_H_
#define GOLDEN_HDF5_TYPES_H_

#include <hdf5.h>

#include <string>
#include <utility>

#include "base/tensor.h"

namespace xdna::hdf5 {

// An HDF5 identifier with the function that gives it back.
class Id {
 public:
  using Closer = herr_t (*)(hid_t);
  Id() = default;
  Id(hid_t id, Closer close) : id_(id), close_(close) {}
  Id(Id&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Id& operator=(Id&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Id() { Close(); }

  bool ok() const { return id_ >= 0; }
  hid_t get() const { return id_; }
  bool Close() { return id_ < 0 || close_(std::exchange(id_, -1)) >= 0; }

 private:
  hid_t id_ = -1;
  Closer close_ = nullptr;
};

// Comes before any call of HDF5. Turns off the printing of its error stack in the calling thread
// (the stack is per thread in thread-safe builds), and its clean-up at exit, which crashes after a
// file that could not be written to its end; our files are closed by then.
void Prepare();

// The deepest entry of the error stack: the cause, where the others are the way up.
std::string Cause();

// Creation properties of `property_class` that record no times: same content, same bytes.
Id Timeless(hid_t property_class);

// Makes the missing groups on the way to `dataset`. Any that can't be made show when the dataset is
// created.
void CreateGroups(hid_t file, const std::string& dataset);

// How elements of `dtype` lie in this program's memory; bf16 as 16-bit unsigned.
Id MemoryType(DType dtype);

// Whether a floating-point type of two bytes is IEEE-754 binary16.
bool IsHalf(hid_t type);

// Strips what pads a fixed-length string of `type`: NULs, and blanks where the type says so.
std::string Unpadded(const std::string& text, hid_t type);

// "64-bit float", "string", for messages.
std::string TypeDescription(hid_t type);

}  // namespace xdna::hdf5

#endif  // GOLDEN_HDF5_TYPES_H_
