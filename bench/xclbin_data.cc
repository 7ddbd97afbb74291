// Where the data of a manifest comes from.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <limits>
#include <system_error>
#include <type_traits>

#include "base/error.h"
#include "base/random.h"
#include "bench/xclbin_manifest.h"
#include "golden/hdf5_file.h"

namespace xdna::bench {
namespace {

constexpr double kIntegerScale = 32;  // of random integers

template <typename T>
T Saturated(double value) {
  constexpr auto kLeast = static_cast<double>(std::numeric_limits<T>::min());
  constexpr auto kMost = static_cast<double>(std::numeric_limits<T>::max());
  return static_cast<T>(std::clamp(std::nearbyint(value), kLeast, kMost));
}

// Calls `body` with the elements as an array of their type.
template <typename Body>
void WithElements(const Tensor& tensor, Body&& body) {
  switch (tensor.dtype()) {
    case DType::kF32:
      return body(tensor.data<float>());
    case DType::kBf16:
      return body(tensor.data<Bf16>());
    case DType::kI8:
      return body(tensor.data<std::int8_t>());
    case DType::kU8:
      return body(tensor.data<std::uint8_t>());
    case DType::kI32:
      return body(tensor.data<std::int32_t>());
    default:
      Throw(ErrorCode::kInternal, "a manifest has no {}", DTypeName(tensor.dtype()));
  }
}

// Element i from `value(i)`; integers need a whole number that they can hold.
template <typename Value>
void Fill(const Tensor& tensor, Value&& value) {
  WithElements(tensor, [&](auto* elements) {
    using T = std::remove_pointer_t<decltype(elements)>;
    for (std::int64_t i = 0; i < tensor.size(); ++i) {
      const double from = value(i);
      if constexpr (std::is_same_v<T, float>) {
        elements[i] = static_cast<float>(from);
      } else if constexpr (std::is_same_v<T, Bf16>) {
        elements[i] = Bf16::FromFloat(static_cast<float>(from));
      } else {
        elements[i] = Saturated<T>(from);
        if (static_cast<double>(elements[i]) != from) {
          Throw(ErrorCode::kCorrupt, "element {} is {}, which {} can't hold", i, from,
                DTypeName(tensor.dtype()));
        }
      }
    }
  });
}

void FillRandom(const Tensor& tensor, std::uint64_t seed) {
  WithElements(tensor, [&](auto* elements) {
    using T = std::remove_pointer_t<decltype(elements)>;
    for (std::int64_t i = 0; i < tensor.size(); ++i) {
      const double normal = SeededNormal(seed, static_cast<std::uint64_t>(i));
      if constexpr (std::is_same_v<T, float>) {
        elements[i] = static_cast<float>(normal);
      } else if constexpr (std::is_same_v<T, Bf16>) {
        elements[i] = Bf16::FromFloat(static_cast<float>(normal));
      } else {
        elements[i] = Saturated<T>(kIntegerScale * normal);
      }
    }
  });
}

void FillFromFile(const Tensor& tensor, const std::string& path) {
  const std::vector<char> bytes = ReadBytes(path, tensor.bytes());
  if (bytes.size() != tensor.bytes()) {
    Throw(ErrorCode::kCorrupt, "{}: {} bytes, {} of {} take {}", path, bytes.size(),
          ShapeString(tensor.shape()), DTypeName(tensor.dtype()), tensor.bytes());
  }
  std::memcpy(tensor.view().raw(), bytes.data(), bytes.size());
}

Tensor FromHdf5(const DataSource& source, const Shape& shape, DType dtype) {
  const Hdf5File file = Hdf5File::Open(source.path);
  return WithContext(source.path + ": " + source.dataset, [&] {
    if (const Shape found = file.ShapeOf(source.dataset); found != shape) {
      Throw(ErrorCode::kCorrupt, "shape {}, the manifest says {}", ShapeString(found),
            ShapeString(shape));
    }
    Tensor stored = file.Read(source.dataset);
    if (stored.dtype() == dtype) return stored;
    if (dtype == DType::kF32 || dtype == DType::kBf16) return stored.To(dtype);
    const Tensor numbers = stored.To(DType::kF64);
    Tensor tensor(dtype, shape);
    Fill(tensor, [&](std::int64_t i) { return numbers.data<double>()[i]; });
    return tensor;
  });
}

}  // namespace

Tensor LoadData(const DataSource& source, const Shape& shape, DType dtype) {
  if (source.kind == DataSource::Kind::kHdf5) return FromHdf5(source, shape, dtype);
  Tensor tensor(dtype, shape);
  if (source.kind == DataSource::Kind::kFile) FillFromFile(tensor, source.path);
  if (source.kind == DataSource::Kind::kRandom) FillRandom(tensor, source.seed);
  if (source.kind == DataSource::Kind::kConstant) {
    Fill(tensor, [&](std::int64_t) { return source.constant; });
  }
  return tensor;
}

std::vector<char> ReadBytes(const std::string& path, std::uint64_t most) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : -1;
  // A folder opens, and has the largest size.
  if (size < 0 || size == std::numeric_limits<std::streamoff>::max()) {
    Throw(ErrorCode::kNotFound, "{}: no such file, or not readable", path);
  }
  if (static_cast<std::uint64_t>(size) > most) {
    Throw(ErrorCode::kCorrupt, "{}: {} bytes, expected at most {}", path, size, most);
  }
  std::vector<char> bytes(static_cast<std::size_t>(size));
  file.seekg(0);
  file.read(bytes.data(), size);
  if (!file) Throw(ErrorCode::kUnavailable, "{}: can't be read", path);
  return bytes;
}

}  // namespace xdna::bench
