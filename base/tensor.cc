#include "base/tensor.h"

#include <fmt/format.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <utility>

#include "base/error.h"

namespace xdna {
namespace {

constexpr std::size_t kAlign = 64;

struct DTypeInfo {
  DType dtype;
  const char* name;
  std::size_t size;
};

constexpr DTypeInfo kDTypes[] = {
    {DType::kF32, "f32", 4},   {DType::kF64, "f64", 8}, {DType::kF16, "f16", 2},
    {DType::kBf16, "bf16", 2}, {DType::kI8, "i8", 1},   {DType::kU8, "u8", 1},
    {DType::kI32, "i32", 4},   {DType::kI64, "i64", 8},
};

const DTypeInfo& Info(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)]; }

Shape RowMajorStrides(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

double Load(const std::byte* p, DType dtype) {
  const auto as = [p]<typename T>(T value) {
    std::memcpy(&value, p, sizeof value);
    return value;
  };
  switch (dtype) {
    case DType::kF32:
      return as(float{});
    case DType::kF64:
      return as(double{});
    case DType::kF16:
      return HalfToFloat(as(std::uint16_t{}));
    case DType::kBf16:
      return as(Bf16{}).ToFloat();
    case DType::kI8:
      return as(std::int8_t{});
    case DType::kU8:
      return as(std::uint8_t{});
    case DType::kI32:
      return as(std::int32_t{});
    case DType::kI64:
      return static_cast<double>(as(std::int64_t{}));
  }
  return 0;
}

void Store(double value, std::byte* p, DType dtype) {
  const auto put = [p](auto v) { std::memcpy(p, &v, sizeof v); };
  switch (dtype) {
    case DType::kF32:
      return put(static_cast<float>(value));
    case DType::kF64:
      return put(value);
    case DType::kBf16:
      return put(Bf16::FromFloat(static_cast<float>(value)));
    default:
      Throw(ErrorCode::kUnsupported, "no conversion of a tensor to {}", DTypeName(dtype));
  }
}

// Visits every element of `view` in row-major order with its address.
void ForEach(const TensorView& view, std::size_t axis, const std::byte* base,
             const std::function<void(const std::byte*)>& visit) {
  if (axis == view.rank()) return visit(base);
  const auto step = view.strides()[axis] * static_cast<std::int64_t>(SizeOf(view.dtype()));
  for (std::int64_t i = 0; i < view.dim(axis); ++i) ForEach(view, axis + 1, base + i * step, visit);
}

}  // namespace

std::size_t SizeOf(DType dtype) { return Info(dtype).size; }
const char* DTypeName(DType dtype) { return Info(dtype).name; }

DType DTypeFromName(const std::string& name) {
  for (const DTypeInfo& info : kDTypes) {
    if (name == info.name) return info.dtype;
  }
  Throw(ErrorCode::kInvalidArgument, "unknown dtype '{}'; known: f32 f64 f16 bf16 i8 u8 i32 i64",
        name);
}

std::int64_t NumElements(const Shape& shape) {
  std::int64_t n = 1;
  for (std::int64_t d : shape) n *= d;
  return n;
}

std::string ShapeString(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

namespace internal {
void ThrowDType(DType found, DType wanted) {
  Throw(ErrorCode::kInternal, "tensor holds {}, code expects {}", DTypeName(found),
        DTypeName(wanted));
}
}  // namespace internal

TensorView::TensorView(void* data, DType dtype, Shape shape)
    : data_(data), dtype_(dtype), shape_(std::move(shape)), strides_(RowMajorStrides(shape_)) {}

TensorView::TensorView(void* data, DType dtype, Shape shape, Shape strides)
    : data_(data), dtype_(dtype), shape_(std::move(shape)), strides_(std::move(strides)) {
  if (strides_.size() != shape_.size()) {
    Throw(ErrorCode::kInternal, "shape {} with {} strides", ShapeString(shape_), strides_.size());
  }
}

bool TensorView::contiguous() const {
  const Shape row_major = RowMajorStrides(shape_);
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    if (shape_[i] != 1 && strides_[i] != row_major[i]) return false;
  }
  return true;
}

TensorView TensorView::Rows(std::int64_t begin, std::int64_t count) const {
  if (rank() == 0 || begin < 0 || count < 0 || begin + count > shape_[0]) {
    Throw(ErrorCode::kInternal, "rows [{}, {}) of a tensor of shape {}", begin, begin + count,
          ShapeString(shape_));
  }
  Shape shape = shape_;
  shape[0] = count;
  auto* base = static_cast<std::byte*>(data_) +
               begin * strides_[0] * static_cast<std::int64_t>(SizeOf(dtype_));
  return {base, dtype_, std::move(shape), strides_};
}

void Tensor::Free::operator()(std::byte* memory) const { std::free(memory); }

Tensor::Tensor(DType dtype, Shape shape) {
  for (std::int64_t d : shape) {
    if (d < 0) Throw(ErrorCode::kInternal, "negative dimension in shape {}", ShapeString(shape));
  }
  const std::size_t bytes = NumElements(shape) * SizeOf(dtype);
  const std::size_t padded = (bytes + 2 * kAlign - 1) / kAlign * kAlign;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kAlign, padded));
  if (memory == nullptr) {
    Throw(ErrorCode::kUnavailable, "no memory for a tensor of shape {} ({} bytes)",
          ShapeString(shape), padded);
  }
  std::memset(memory, 0, padded);
  memory_.reset(memory);
  view_ = TensorView(memory, dtype, std::move(shape));
}

void Tensor::CopyFrom(const void* source, std::size_t bytes) {
  if (bytes != view_.bytes()) {
    Throw(ErrorCode::kInternal, "{} bytes for a tensor of shape {}", bytes, ShapeString(shape()));
  }
  std::memcpy(memory_.get(), source, bytes);
}

Tensor Tensor::Clone() const { return Convert(view_, dtype()); }
Tensor Tensor::To(DType dtype) const { return Convert(view_, dtype); }

Tensor Convert(const TensorView& view, DType dtype) {
  Tensor result(dtype, view.shape());
  auto* out = static_cast<std::byte*>(result.view().raw());
  const std::size_t step = SizeOf(dtype);
  if (view.dtype() == dtype && view.contiguous()) {
    std::memcpy(out, view.raw(), view.bytes());
    return result;
  }
  ForEach(view, 0, static_cast<const std::byte*>(view.raw()), [&](const std::byte* p) {
    if (view.dtype() == dtype) {
      std::memcpy(out, p, step);
    } else {
      Store(Load(p, view.dtype()), out, dtype);
    }
    out += step;
  });
  return result;
}

float HalfToFloat(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1F;
  const std::uint32_t fraction = bits & 0x3FF;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000 | (fraction << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
  return (sign != 0) ? -magnitude : magnitude;
}

}  // namespace xdna
