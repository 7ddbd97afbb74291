#include "golden/hdf5_file.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "golden/hdf5_types.h"

namespace xdna {
namespace {

using hdf5::Cause;
using hdf5::Id;
using hdf5::TypeDescription;

// Of the bytes that a chunked dataset takes in the file: deflate can't do better than 1032:1, and
// tensors of numbers never come near this.
constexpr std::uint64_t kMaxCompression = 256;
constexpr std::size_t kMaxStringBytes = 16 << 20;
constexpr int kMaxRank = 8;

}  // namespace

struct Hdf5File::Impl {
  std::string path;     // of the finished file
  std::string partial;  // what is being written; empty when reading or done
  Id id;

  ~Impl() {
    id.Close();
    if (!partial.empty()) std::remove(partial.c_str());
  }

  // The open file, with error printing off in the calling thread.
  hid_t file() const {
    hdf5::Prepare();
    if (!id.ok()) Throw(ErrorCode::kInternal, "{}: used after Close()", path);
    return id.get();
  }

  std::string Where(const std::string& object) const {
    return fmt::format("{}: {}{}", path, object.starts_with('/') ? "" : "/", object);
  }

  Id OpenObject(const std::string& object) const {
    Id opened(H5Oopen(file(), object.c_str(), H5P_DEFAULT), H5Oclose);
    if (!opened.ok()) Throw(ErrorCode::kCorrupt, "{}: not in the file", Where(object));
    return opened;
  }

  Id OpenDataset(const std::string& dataset) const {
    Id opened = OpenObject(dataset);
    if (H5Iget_type(opened.get()) != H5I_DATASET) {
      Throw(ErrorCode::kCorrupt, "{}: not a dataset", Where(dataset));
    }
    return opened;
  }

  Id OpenAttribute(const std::string& object, const std::string& name) const {
    const Id owner = OpenObject(object);
    Id attribute(H5Aopen(owner.get(), name.c_str(), H5P_DEFAULT), H5Aclose);
    if (!attribute.ok()) {
      Throw(ErrorCode::kCorrupt, "{}: attribute '{}' is missing", Where(object), name);
    }
    return attribute;
  }

  // The attribute's type after a check that it is one value of class `wanted`.
  Id AttributeType(const Id& attribute, H5T_class_t wanted, const char* wanted_name,
                   const std::string& object, const std::string& name) const;
  template <typename T>
  T NumberAttribute(const std::string& object, const std::string& name, H5T_class_t wanted,
                    const char* wanted_name, hid_t memory_type) const;
  void WriteAttribute(const std::string& object, const std::string& name, hid_t type,
                      const void* value);

  Shape ShapeOf(hid_t dataset, const std::string& name) const;
  DType DTypeOf(hid_t dataset, const std::string& name) const;
  void CheckStorage(hid_t dataset, const std::string& name, const Shape& shape) const;
};

Id Hdf5File::Impl::AttributeType(const Id& attribute, H5T_class_t wanted, const char* wanted_name,
                                 const std::string& object, const std::string& name) const {
  Id type(H5Aget_type(attribute.get()), H5Tclose);
  const Id space(H5Aget_space(attribute.get()), H5Sclose);
  const hssize_t values = H5Sget_simple_extent_npoints(space.get());
  if (H5Tget_class(type.get()) != wanted || values != 1) {
    Throw(ErrorCode::kCorrupt, "{}: attribute '{}' holds {} of {}; expected one {}", Where(object),
          name, values, TypeDescription(type.get()), wanted_name);
  }
  return type;
}

template <typename T>
T Hdf5File::Impl::NumberAttribute(const std::string& object, const std::string& name,
                                  H5T_class_t wanted, const char* wanted_name,
                                  hid_t memory_type) const {
  const Id attribute = OpenAttribute(object, name);
  AttributeType(attribute, wanted, wanted_name, object, name);
  T value{};
  if (H5Aread(attribute.get(), memory_type, &value) < 0) {
    Throw(ErrorCode::kCorrupt, "{}: attribute '{}': {}", Where(object), name, Cause());
  }
  return value;
}

void Hdf5File::Impl::WriteAttribute(const std::string& object, const std::string& name, hid_t type,
                                    const void* value) {
  const Id owner = OpenObject(object);
  if (H5Aexists(owner.get(), name.c_str()) > 0) H5Adelete(owner.get(), name.c_str());
  const Id space(H5Screate(H5S_SCALAR), H5Sclose);
  const Id attribute(
      H5Acreate2(owner.get(), name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!attribute.ok() || H5Awrite(attribute.get(), type, value) < 0) {
    Throw(ErrorCode::kUnavailable, "{}: can't write attribute '{}': {}", Where(object), name,
          Cause());
  }
}

Shape Hdf5File::Impl::ShapeOf(hid_t dataset, const std::string& name) const {
  const Id space(H5Dget_space(dataset), H5Sclose);
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (H5Sget_simple_extent_type(space.get()) == H5S_NULL || rank < 0 || rank > kMaxRank) {
    Throw(ErrorCode::kCorrupt, "{}: not an array of at most {} dimensions", Where(name), kMaxRank);
  }
  hsize_t dims[kMaxRank] = {};
  H5Sget_simple_extent_dims(space.get(), dims, nullptr);
  std::uint64_t elements = 1;
  for (int i = 0; i < rank; ++i) {
    if (dims[i] >> 48 != 0 || __builtin_mul_overflow(elements, dims[i], &elements) ||
        elements >> 48 != 0) {
      Throw(ErrorCode::kCorrupt, "{}: absurd shape [{}]", Where(name),
            fmt::join(dims, dims + rank, ","));
    }
  }
  return {dims, dims + rank};
}

DType Hdf5File::Impl::DTypeOf(hid_t dataset, const std::string& name) const {
  const Id type(H5Dget_type(dataset), H5Tclose);
  const std::size_t size = H5Tget_size(type.get());
  switch (H5Tget_class(type.get())) {
    case H5T_FLOAT:
      if (size == 4) return DType::kF32;
      if (size == 8) return DType::kF64;
      if (size == 2 && hdf5::IsHalf(type.get())) return DType::kF16;
      break;
    case H5T_INTEGER: {
      const bool is_signed = H5Tget_sign(type.get()) != H5T_SGN_NONE;
      if (size == 1) return is_signed ? DType::kI8 : DType::kU8;
      if (size == 4 && is_signed) return DType::kI32;
      if (size == 8 && is_signed) return DType::kI64;
      if (size == 2 && !is_signed && H5Aexists(dataset, "dtype") > 0) return DType::kBf16;
      break;
    }
    default:
      break;
  }
  Throw(ErrorCode::kCorrupt,
        "{}: elements are {}; known: f32 f64 f16 i8 u8 i32 i64, and 16-bit "
        "unsigned with attribute dtype = \"bf16\"",
        Where(name), TypeDescription(type.get()));
}

// A header of a few bytes can claim any shape. Memory is only asked for what the file can hold.
void Hdf5File::Impl::CheckStorage(hid_t dataset, const std::string& name,
                                  const Shape& shape) const {
  const Id type(H5Dget_type(dataset), H5Tclose);
  const Id plan(H5Dget_create_plist(dataset), H5Pclose);
  const bool chunked = H5Pget_layout(plan.get()) == H5D_CHUNKED;
  const std::uint64_t element = H5Tget_size(type.get());
  const std::uint64_t bytes = element * static_cast<std::uint64_t>(NumElements(shape));
  const std::uint64_t stored = H5Dget_storage_size(dataset);
  hsize_t file_bytes = 0;
  H5Fget_filesize(file(), &file_bytes);
  const bool plausible =
      stored <= file_bytes && (chunked ? bytes / kMaxCompression <= stored : bytes <= stored);
  if (!plausible || (bytes != 0 && stored == 0)) {
    Throw(ErrorCode::kCorrupt, "{}: shape {} needs {} bytes, {} are stored in a file of {}",
          Where(name), ShapeString(shape), bytes, stored, file_bytes);
  }
}

Hdf5File::Hdf5File(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&&) noexcept = default;
Hdf5File::~Hdf5File() = default;

Hdf5File Hdf5File::Open(const std::string& path) {
  hdf5::Prepare();
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    Throw(ErrorCode::kNotFound, "{}: {}", path, error ? error.message() : "no such file");
  }
  if (!std::filesystem::is_regular_file(status)) {
    Throw(ErrorCode::kCorrupt, "{}: not a regular file", path);
  }
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> readable(std::fopen(path.c_str(), "rb"),
                                                                    std::fclose);
  if (!readable) Throw(ErrorCode::kNotFound, "{}: {}", path, std::strerror(errno));
  if (H5Fis_hdf5(path.c_str()) <= 0) Throw(ErrorCode::kCorrupt, "{}: not an HDF5 file", path);

  // Finished files don't change, and some file systems (read-only, network) can't lock.
  const Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_file_locking(access.get(), 0, 1);
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->id = Id(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!impl->id.ok()) Throw(ErrorCode::kCorrupt, "{}: damaged HDF5 file: {}", path, Cause());
  return Hdf5File(std::move(impl));
}

Hdf5File Hdf5File::Create(const std::string& path) {
  hdf5::Prepare();
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  const std::string partial = path + ".partial";
  std::error_code ignored;
  const bool existed = std::filesystem::exists(partial, ignored);  // e.g. another writer's
  // Opened with the C library first, since HDF5 doesn't tell why it can't.
  std::FILE* probe = std::fopen(partial.c_str(), "ab");
  if (probe == nullptr) {
    Throw(ErrorCode::kUnavailable, "{}: can't write: {}", partial, std::strerror(errno));
  }
  std::fclose(probe);
  // The format of HDF5 1.10, which has checksums over metadata: without them the library's reader
  // can be led astray by a damaged file.
  const Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110);
  const Id plan = hdf5::Timeless(H5P_FILE_CREATE);
  impl->id = Id(H5Fcreate(partial.c_str(), H5F_ACC_TRUNC, plan.get(), access.get()), H5Fclose);
  if (!impl->id.ok()) {
    if (!existed) std::remove(partial.c_str());
    Throw(ErrorCode::kUnavailable, "{}: can't write: {}", partial, Cause());
  }
  impl->partial = partial;
  return Hdf5File(std::move(impl));
}

const std::string& Hdf5File::path() const { return impl_->path; }

bool Hdf5File::Has(const std::string& object) const {
  const hid_t file = impl_->file();
  // HDF5 only answers for the last part of a path.
  for (std::size_t end = 1; end != std::string::npos && end < object.size();) {
    end = object.find('/', end);
    if (H5Lexists(file, object.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
    if (end != std::string::npos) ++end;
  }
  return H5Oexists_by_name(file, object.c_str(), H5P_DEFAULT) > 0;
}

std::vector<std::string> Hdf5File::Children(const std::string& group) const {
  std::vector<std::string> names;
  const auto add = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  const Id opened = impl_->OpenObject(group);
  if (H5Iget_type(opened.get()) != H5I_GROUP) {
    Throw(ErrorCode::kCorrupt, "{}: not a group", impl_->Where(group));
  }
  if (H5Literate(opened.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &names) < 0) {
    Throw(ErrorCode::kCorrupt, "{}: {}", impl_->Where(group), Cause());
  }
  return names;
}

Shape Hdf5File::ShapeOf(const std::string& dataset) const {
  return impl_->ShapeOf(impl_->OpenDataset(dataset).get(), dataset);
}

DType Hdf5File::DTypeOf(const std::string& dataset) const {
  const DType dtype = impl_->DTypeOf(impl_->OpenDataset(dataset).get(), dataset);
  if (dtype == DType::kBf16) {
    if (const std::string name = StringAttribute(dataset, "dtype"); name != "bf16") {
      Throw(ErrorCode::kCorrupt, "{}: attribute 'dtype' is '{}'; 16-bit unsigned can only be bf16",
            impl_->Where(dataset), name);
    }
  }
  return dtype;
}

Tensor Hdf5File::Read(const std::string& dataset) const {
  const DType dtype = DTypeOf(dataset);
  const Id opened = impl_->OpenDataset(dataset);
  const Shape shape = impl_->ShapeOf(opened.get(), dataset);
  impl_->CheckStorage(opened.get(), dataset, shape);
  Tensor tensor(dtype, shape);
  const Id type = hdf5::MemoryType(dtype);
  if (H5Dread(opened.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.view().raw()) < 0) {
    Throw(ErrorCode::kCorrupt, "{}: can't be read: {}", impl_->Where(dataset), Cause());
  }
  return tensor;
}

void Hdf5File::Write(const std::string& dataset, const TensorView& tensor) {
  if (!tensor.contiguous()) return Write(dataset, Convert(tensor, tensor.dtype()));
  const hid_t file = impl_->file();
  const Id type = hdf5::MemoryType(tensor.dtype());
  const std::vector<hsize_t> dims(tensor.shape().begin(), tensor.shape().end());
  const Id space(dims.empty()
                     ? H5Screate(H5S_SCALAR)
                     : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
                 H5Sclose);
  hdf5::CreateGroups(file, dataset);
  const Id plan = hdf5::Timeless(H5P_DATASET_CREATE);
  Id created(H5Dcreate2(file, dataset.c_str(), type.get(), space.get(), H5P_DEFAULT, plan.get(),
                        H5P_DEFAULT),
             H5Dclose);
  const bool written = created.ok() && H5Dwrite(created.get(), type.get(), H5S_ALL, H5S_ALL,
                                                H5P_DEFAULT, tensor.raw()) >= 0;
  // What is still in a buffer is written by closing.
  if (!written || !created.Close()) {
    Throw(ErrorCode::kUnavailable, "{}: can't be written: {}", impl_->Where(dataset), Cause());
  }
  if (tensor.dtype() == DType::kBf16) SetAttribute(dataset, "dtype", "bf16");
}

bool Hdf5File::HasAttribute(const std::string& object, const std::string& name) const {
  return H5Aexists(impl_->OpenObject(object).get(), name.c_str()) > 0;
}

std::string Hdf5File::StringAttribute(const std::string& object, const std::string& name) const {
  const Id attribute = impl_->OpenAttribute(object, name);
  // Read as stored: HDF5 doesn't convert between ASCII and UTF-8.
  const Id type = impl_->AttributeType(attribute, H5T_STRING, "string", object, name);
  if (H5Tis_variable_str(type.get()) > 0) {
    char* text = nullptr;
    if (H5Aread(attribute.get(), type.get(), &text) >= 0) {
      std::string result = text == nullptr ? "" : text;
      H5free_memory(text);
      return result;
    }
  } else if (const std::size_t size = H5Tget_size(type.get()); size <= kMaxStringBytes) {
    std::string text(size, '\0');
    if (H5Aread(attribute.get(), type.get(), text.data()) >= 0)
      return hdf5::Unpadded(text, type.get());
  }
  Throw(ErrorCode::kCorrupt, "{}: attribute '{}': {}", impl_->Where(object), name, Cause());
}

std::int64_t Hdf5File::IntAttribute(const std::string& object, const std::string& name) const {
  return impl_->NumberAttribute<std::int64_t>(object, name, H5T_INTEGER, "integer",
                                              H5T_NATIVE_INT64);
}

double Hdf5File::DoubleAttribute(const std::string& object, const std::string& name) const {
  return impl_->NumberAttribute<double>(object, name, H5T_FLOAT, "float", H5T_NATIVE_DOUBLE);
}

void Hdf5File::SetAttribute(const std::string& object, const std::string& name,
                            const std::string& value) {
  // Of fixed length, in the object's header: variable-length strings lie in a heap that has no
  // checksum, and whose damage can hang the library's reader.
  const Id type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), value.size() + 1);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  impl_->WriteAttribute(object, name, type.get(), value.c_str());
}

void Hdf5File::SetAttribute(const std::string& object, const std::string& name,
                            std::int64_t value) {
  impl_->WriteAttribute(object, name, H5T_NATIVE_INT64, &value);
}

void Hdf5File::SetAttribute(const std::string& object, const std::string& name, double value) {
  impl_->WriteAttribute(object, name, H5T_NATIVE_DOUBLE, &value);
}

void Hdf5File::Close() {
  const hid_t file = impl_->file();
  const bool flushed = impl_->partial.empty() || H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0;
  const std::string cause = flushed ? "" : Cause();
  if (!impl_->id.Close() || !flushed) {
    Throw(ErrorCode::kUnavailable, "{}: can't finish writing: {}", impl_->path,
          cause.empty() ? Cause() : cause);
  }
  if (impl_->partial.empty()) return;
  std::error_code error;
  std::filesystem::rename(impl_->partial, impl_->path, error);
  if (error) Throw(ErrorCode::kUnavailable, "{}: {}", impl_->path, error.message());
  impl_->partial.clear();
}

}  // namespace xdna
