#include "tools/aie_replay/datasets.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"

namespace xdna::aie_replay {
namespace {

// An HDF5 identifier that is given back.
class Id {
 public:
  using Closer = herr_t (*)(hid_t);
  Id(hid_t id, Closer close) : id_(id), close_(close) {}
  Id(Id&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Id& operator=(Id&&) = delete;
  ~Id() { Close(); }

  bool ok() const { return id_ >= 0; }
  hid_t get() const { return id_; }
  bool Close() { return id_ < 0 || close_(std::exchange(id_, -1)) >= 0; }

 private:
  hid_t id_;
  Closer close_;
};

void Silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

// Of what a dataset takes in the file: one that claims more numbers holds none of them.
constexpr std::uint64_t kMaxCompression = 256;

Id OpenFile(const std::string& path) {
  Silence();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) Throw(ErrorCode::kNotFound, "{}: no such file", path);
  Id file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file.ok()) Throw(ErrorCode::kCorrupt, "{}: not an HDF5 file, or cut off", path);
  return file;
}

std::string TypeName(hid_t type) {
  const std::size_t bits = 8 * H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return fmt::format("{}-bit {} integers", bits,
                         H5Tget_sign(type) == H5T_SGN_NONE ? "unsigned" : "signed");
    case H5T_FLOAT:
      return fmt::format("{}-bit floats", bits);
    default:
      return "something else than numbers";
  }
}

std::string ShapeName(const std::vector<hsize_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::vector<hsize_t> ShapeOf(hid_t dataset) {
  const Id space(H5Dget_space(dataset), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space.get());
  std::vector<hsize_t> shape(rank > 0 ? static_cast<std::size_t>(rank) : 0);
  if (rank > 0) H5Sget_simple_extent_dims(space.get(), shape.data(), nullptr);
  return shape;
}

template <typename T>
hid_t MemoryType() {
  if (std::is_same_v<T, std::uint16_t>) return H5T_NATIVE_UINT16;
  return std::is_same_v<T, std::uint32_t> ? H5T_NATIVE_UINT32 : H5T_NATIVE_INT32;
}

template <typename T>
hid_t FileType() {
  if (std::is_same_v<T, std::uint16_t>) return H5T_STD_U16LE;
  return std::is_same_v<T, std::uint32_t> ? H5T_STD_U32LE : H5T_STD_I32LE;
}

// Writes all but the last step, the renaming.
template <typename T>
bool WritePartial(const std::string& path, const std::vector<T>& values) {
  Id file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  if (!file.ok()) return false;
  const hsize_t n = values.size();
  const Id space(H5Screate_simple(1, &n, nullptr), H5Sclose);
  const Id plan(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(plan.get(), false);  // same content, same bytes
  Id dataset(H5Dcreate2(file.get(), "/out", FileType<T>(), space.get(), H5P_DEFAULT, plan.get(),
                        H5P_DEFAULT),
             H5Dclose);
  return dataset.ok() &&
         H5Dwrite(dataset.get(), MemoryType<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >=
             0 &&
         dataset.Close() && file.Close();
}

}  // namespace

struct CaptureReader::Impl {
  std::string path;
  Id file;
};

CaptureReader::CaptureReader(const std::string& path)
    : impl_(std::make_unique<Impl>(Impl{path, OpenFile(path)})) {}
CaptureReader::~CaptureReader() = default;

template <typename T>
std::vector<T> CaptureReader::Read(const std::string& name, std::size_t columns) const {
  Silence();
  const std::string where = fmt::format("{}: {}", impl_->path, name);
  const Id dataset(H5Dopen2(impl_->file.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset.ok()) Throw(ErrorCode::kCorrupt, "{}: not in the file, or not a dataset", where);
  const Id type(H5Dget_type(dataset.get()), H5Tclose);
  if (H5Tget_class(type.get()) != H5T_INTEGER || H5Tget_sign(type.get()) != H5T_SGN_NONE ||
      H5Tget_size(type.get()) != sizeof(T)) {
    Throw(ErrorCode::kCorrupt, "{}: holds {}; expected {}-bit unsigned integers", where,
          TypeName(type.get()), 8 * sizeof(T));
  }
  const std::vector<hsize_t> shape = ShapeOf(dataset.get());
  const std::size_t rank = columns == 0 ? 1 : 2;
  if (shape.size() != rank || (columns != 0 && shape[1] != columns)) {
    Throw(ErrorCode::kCorrupt, "{}: has shape {}; expected {}", where, ShapeName(shape),
          columns == 0 ? "[n]" : fmt::format("[n, {}]", columns));
  }
  const std::uint64_t row = sizeof(T) * (columns == 0 ? 1 : columns);
  const std::uint64_t stored = H5Dget_storage_size(dataset.get());
  if (shape[0] > 0 && (shape[0] - 1) / kMaxCompression >= (stored + row - 1) / row) {
    Throw(ErrorCode::kCorrupt, "{}: claims {} rows of {} bytes, but takes {} bytes in the file",
          where, shape[0], row, stored);
  }
  std::vector<T> values(shape[0] * (columns == 0 ? 1 : columns));
  if (!values.empty() &&
      H5Dread(dataset.get(), MemoryType<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
    Throw(ErrorCode::kCorrupt, "{}: can't be read", where);
  }
  return values;
}

template <typename T>
void WriteOut(const std::string& path, const std::vector<T>& values) {
  Silence();
  const std::string partial = path + ".partial";
  std::error_code error;
  const bool written = WritePartial(partial, values);
  if (written) std::filesystem::rename(partial, path, error);
  if (written && !error) return;
  std::remove(partial.c_str());
  Throw(ErrorCode::kUnavailable, "{}: can't be written{}{}", path, error ? ": " : "",
        error ? error.message() : "");
}

template std::vector<std::uint16_t> CaptureReader::Read(const std::string&, std::size_t) const;
template std::vector<std::uint32_t> CaptureReader::Read(const std::string&, std::size_t) const;
template void WriteOut(const std::string&, const std::vector<std::uint16_t>&);
template void WriteOut(const std::string&, const std::vector<std::uint32_t>&);
template void WriteOut(const std::string&, const std::vector<std::int32_t>&);

}  // namespace xdna::aie_replay
