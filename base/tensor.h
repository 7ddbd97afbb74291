// Tensors: a typed, strided view, and an owner of aligned memory.
#ifndef BASE_TENSOR_H_
#define BASE_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bf16.h"

namespace xdna {

enum class DType : std::uint8_t { kF32, kF64, kF16, kBf16, kI8, kU8, kI32, kI64 };

std::size_t SizeOf(DType dtype);               // in bytes
const char* DTypeName(DType dtype);            // "f32", "bf16", ...
DType DTypeFromName(const std::string& name);  // throws kInvalidArgument

using Shape = std::vector<std::int64_t>;

std::int64_t NumElements(const Shape& shape);  // 1 for a scalar (rank 0)
std::string ShapeString(const Shape& shape);   // "[1500,512]"

namespace internal {
template <typename T>
constexpr DType DTypeOf() {
  if constexpr (std::is_same_v<T, float>) return DType::kF32;
  if constexpr (std::is_same_v<T, double>) return DType::kF64;
  if constexpr (std::is_same_v<T, Bf16>) return DType::kBf16;
  if constexpr (std::is_same_v<T, std::int8_t>) return DType::kI8;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DType::kU8;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::kI32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::kI64;
}
[[noreturn]] void ThrowDType(DType found, DType wanted);
}  // namespace internal

// A view of memory that somebody else owns. Strides are in elements.
class TensorView {
 public:
  TensorView() = default;
  TensorView(void* data, DType dtype, Shape shape);  // row-major, contiguous
  TensorView(void* data, DType dtype, Shape shape, Shape strides);
  template <typename T>
  TensorView(T* data, Shape shape)
      : TensorView(const_cast<std::remove_const_t<T>*>(data),
                   internal::DTypeOf<std::remove_const_t<T>>(), std::move(shape)) {}

  bool empty() const { return data_ == nullptr; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  std::size_t rank() const { return shape_.size(); }
  std::int64_t dim(std::size_t i) const { return shape_.at(i); }
  std::int64_t size() const { return NumElements(shape_); }      // elements
  std::size_t bytes() const { return size() * SizeOf(dtype_); }  // of the elements
  bool contiguous() const;
  void* raw() const { return data_; }

  // The elements as T; throws kInternal if the dtype is another.
  template <typename T>
  T* data() const {
    constexpr DType wanted = internal::DTypeOf<std::remove_const_t<T>>();
    if (dtype_ != wanted) internal::ThrowDType(dtype_, wanted);
    return static_cast<T*>(data_);
  }

  // Rows [begin, begin + count) of the first dimension.
  TensorView Rows(std::int64_t begin, std::int64_t count) const;

 private:
  void* data_ = nullptr;
  DType dtype_ = DType::kF32;
  Shape shape_;
  Shape strides_;
};

// Owns contiguous, zeroed memory aligned to 64 bytes, with 64 readable bytes after
// the last element so that vector code may load past the end. Moves, never copies
// by accident: see Clone.
class Tensor {
 public:
  Tensor() = default;
  Tensor(DType dtype, Shape shape);
  Tensor(Tensor&&) = default;
  Tensor& operator=(Tensor&&) = default;

  template <typename T>
  static Tensor FromValues(Shape shape, std::initializer_list<T> values) {
    return FromValues(std::move(shape), std::vector<T>(values));
  }
  template <typename T>
  static Tensor FromValues(Shape shape, const std::vector<T>& values) {
    Tensor tensor(internal::DTypeOf<T>(), std::move(shape));
    tensor.CopyFrom(values.data(), values.size() * sizeof(T));
    return tensor;
  }

  Tensor Clone() const;
  // Element-wise conversion of any dtype to f32, f64 or bf16 (nearest even). Throws
  // kUnsupported for another target, unless it is the dtype that this has.
  Tensor To(DType dtype) const;

  const TensorView& view() const { return view_; }
  operator const TensorView&() const { return view_; }  // NOLINT(google-explicit-constructor)
  bool empty() const { return view_.empty(); }
  DType dtype() const { return view_.dtype(); }
  const Shape& shape() const { return view_.shape(); }
  std::int64_t dim(std::size_t i) const { return view_.dim(i); }
  std::int64_t size() const { return view_.size(); }
  std::size_t bytes() const { return view_.bytes(); }
  template <typename T>
  T* data() const {
    return view_.data<T>();
  }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  void CopyFrom(const void* source, std::size_t bytes);

  std::unique_ptr<std::byte[], Free> memory_;
  TensorView view_;
};

// A contiguous copy of `view`, converted as Tensor::To does.
Tensor Convert(const TensorView& view, DType dtype);

// Tensors by name: the operands of an op, the weights of a model.
using TensorMap = std::map<std::string, Tensor, std::less<>>;

float HalfToFloat(std::uint16_t bits);  // IEEE-754 binary16, exact

}  // namespace xdna

#endif  // BASE_TENSOR_H_
