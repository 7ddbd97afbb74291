// A thin owner of one HDF5 file: tensors and attributes by path, errors that name
// file and object. HDF5's own error stack is never printed.
#ifndef GOLDEN_HDF5_FILE_H_
#define GOLDEN_HDF5_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"

namespace xdna {

class Hdf5File {
 public:
  // Throws kNotFound (no such file) or kCorrupt (not HDF5, truncated).
  static Hdf5File Open(const std::string& path);
  // Starts a new file at `path + ".partial"`; Close() renames it to `path`, so a
  // reader never meets a half-written one. Without Close() it is removed. The same
  // content gives the same bytes. Throws kUnavailable (no such folder, read-only).
  static Hdf5File Create(const std::string& path);

  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;
  ~Hdf5File();

  const std::string& path() const;

  bool Has(const std::string& object) const;
  // Names of the direct children of `group` ("/" for the root), sorted.
  std::vector<std::string> Children(const std::string& group) const;

  // Shape and dtype without reading the data.
  Shape ShapeOf(const std::string& dataset) const;
  DType DTypeOf(const std::string& dataset) const;
  // The dataset in its stored dtype. f16 and bf16: see Write. Throws kCorrupt if it
  // is missing, of another type, or of a shape that the file can't hold.
  Tensor Read(const std::string& dataset) const;

  // Creates missing groups on the way. f16 is HDF5's IEEE_F16LE; bf16 is a u16
  // dataset with an attribute dtype = "bf16", since HDF5 has no such type.
  void Write(const std::string& dataset, const TensorView& tensor);

  // Attributes of `object` ("/" for the file). Getters throw kCorrupt if missing
  // or of another type; strings may be of variable length, as h5py writes them.
  bool HasAttribute(const std::string& object, const std::string& name) const;
  std::string StringAttribute(const std::string& object, const std::string& name) const;
  std::int64_t IntAttribute(const std::string& object, const std::string& name) const;
  double DoubleAttribute(const std::string& object, const std::string& name) const;
  void SetAttribute(const std::string& object, const std::string& name, const std::string& value);
  void SetAttribute(const std::string& object, const std::string& name, std::int64_t value);
  void SetAttribute(const std::string& object, const std::string& name, int value) {
    SetAttribute(object, name, std::int64_t{value});
  }
  void SetAttribute(const std::string& object, const std::string& name, double value);

  // Ends writing: flushes, renames. Throws kUnavailable (disk full, read-only).
  void Close();

 private:
  struct Impl;
  explicit Hdf5File(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace xdna

#endif  // GOLDEN_HDF5_FILE_H_
