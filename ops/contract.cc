#include "ops/contract.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/random.h"

namespace xdna::ops {
namespace {

template <typename Enum, std::size_t N>
Enum FromName(std::string_view name, const char* what, const Enum (&all)[N],
              const char* (*name_of)(Enum)) {
  std::string known;
  for (Enum value : all) {
    if (name == name_of(value)) return value;
    known += fmt::format(" {}", name_of(value));
  }
  Throw(ErrorCode::kInvalidArgument, "unknown {} '{}'; known:{}", what, name, known);
}

std::int64_t DimOf(std::string_view symbol, const Operand& operand, const Dims& dims) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(symbol.data(), symbol.data() + symbol.size(), number);
  if (error == std::errc() && end == symbol.data() + symbol.size()) return number;
  const auto it = dims.find(symbol);
  if (it == dims.end()) {
    Throw(ErrorCode::kInvalidArgument, "dimension '{}' of {}[{}] has no value", symbol,
          operand.name, operand.shape);
  }
  return it->second;
}

}  // namespace

const char* PrecisionName(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return "f32";
    case Precision::kBf16:
      return "bf16";
    case Precision::kInt8:
      return "int8";
    case Precision::kMixed:
      return "mixed";
  }
  return "?";
}

Precision PrecisionFromName(std::string_view name) {
  constexpr Precision kAll[] = {Precision::kF32, Precision::kBf16, Precision::kInt8,
                                Precision::kMixed};
  return FromName(name, "precision", kAll, &PrecisionName);
}

const char* DeviceName(Device device) { return device == Device::kCpu ? "cpu" : "npu"; }

Device DeviceFromName(std::string_view name) {
  constexpr Device kAll[] = {Device::kCpu, Device::kNpu};
  return FromName(name, "device", kAll, &DeviceName);
}

Device DeviceOf(Backend backend) {
  return backend == Backend::kTile || backend == Backend::kArray ? Device::kNpu : Device::kCpu;
}

const char* BackendName(Backend backend) {
  switch (backend) {
    case Backend::kFast:
      return "fast";
    case Backend::kEigen:
      return "eigen";
    case Backend::kTile:
      return "tile";
    case Backend::kArray:
      return "array";
  }
  return "?";
}

Backend BackendFromName(std::string_view name) {
  constexpr Backend kAll[] = {Backend::kFast, Backend::kEigen};
  return FromName<Backend>(name, "backend", kAll, &BackendName);
}

std::string BackendName(const Variant& variant) {
  const char* name = BackendName(variant.backend);
  return variant.kernel.empty() ? name : fmt::format("{}_{}", name, variant.kernel);
}

bool Contract::Has(const Variant& variant) const {
  return std::find(variants.begin(), variants.end(), variant) != variants.end();
}

bool Contract::IsWrong(const Variant& variant) const {
  return std::find(wrong_kernels.begin(), wrong_kernels.end(), variant.kernel) !=
         wrong_kernels.end();
}

const Variant& Contract::FindVariant(std::string_view precision, std::string_view backend) const {
  std::string known;
  for (const Variant& variant : variants) {
    const std::string name = BackendName(variant);
    if (PrecisionName(variant.precision) == precision && name == backend) return variant;
    known += fmt::format(" {}/{}", PrecisionName(variant.precision), name);
  }
  Throw(ErrorCode::kInvalidArgument, "{} has no {} on {}; it has:{}", name, precision, backend,
        known);
}

Shape ShapeOf(const Operand& operand, const Dims& dims) {
  Shape shape;
  for (std::string_view rest = operand.shape; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    shape.push_back(DimOf(rest.substr(0, comma), operand, dims));
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
  }
  return shape;
}

TensorMap RandomInputs(const Contract& contract, const Dims& dims, std::uint64_t seed) {
  TensorMap inputs;
  for (const Operand& operand : contract.inputs) {
    Tensor tensor(DType::kF32, ShapeOf(operand, dims));
    const bool matrix = operand.weight && tensor.shape().size() > 1;
    const std::int64_t fan_in = matrix ? tensor.size() / tensor.dim(0) : 1;
    FillSeededNormal(seed * 1000003 + inputs.size(), 0, 1 / std::sqrt(static_cast<double>(fan_in)),
                     0, {tensor.data<float>(), static_cast<std::size_t>(tensor.size())});
    inputs.emplace(operand.name, std::move(tensor));
  }
  return inputs;
}

}  // namespace xdna::ops
