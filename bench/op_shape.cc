#include "bench/op_shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "device/array/overlay.h"
#include "device/reuse.h"

namespace xdna::bench {
namespace {

// The float64 reference runs on one thread at a few GFLOP/s.
constexpr double kMostFlops = 5e11;

void AddName(const std::string& name, std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

void AddSymbols(std::string_view shape, std::vector<std::string>& names) {
  while (!shape.empty()) {
    const std::size_t comma = std::min(shape.find(','), shape.size());
    if (std::isalpha(static_cast<unsigned char>(shape[0])) != 0) {
      AddName(std::string(shape.substr(0, comma)), names);
    }
    shape.remove_prefix(std::min(comma + 1, shape.size()));
  }
}

bool Has(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Works out the sizes that follow from others; what the user said of them must agree.
void Complete(const ops::Contract& op, const SweepPoint& point, ops::Dims& dims) {
  if (op.complete == nullptr) return;
  const ops::Dims said = dims;
  op.complete(dims);
  for (const std::string_view name : op.derived) {
    const std::int64_t right = dims.find(name)->second;
    const std::int64_t given = said.find(name)->second;
    if (point.count(name) == 0 || given == right) continue;
    Throw(ErrorCode::kInvalidArgument, "{}={} contradicts the other sizes, which make it {}", name,
          given, right);
  }
}

// Bytes of an operand in float64, without overflow.
double BytesOf(const ops::Operand& operand, const ops::Dims& dims) {
  double bytes = sizeof(double);
  for (const std::int64_t size : ops::ShapeOf(operand, dims)) bytes *= static_cast<double>(size);
  return bytes;
}

void CheckSize(const ops::Contract& op, const ops::Dims& dims) {
  const double flops = op.flops(dims);
  if (flops > kMostFlops) {
    Throw(ErrorCode::kInvalidArgument,
          "{} is {:.3g} GFLOP, more than the {:.0f} that can be checked in float64",
          ShapeName(op, dims), flops * 1e-9, kMostFlops * 1e-9);
  }
  double bytes = 3 * BytesOf(op.output, dims);
  for (const ops::Operand& input : op.inputs) bytes += 2 * BytesOf(input, dims);
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  if (bytes > memory / 2) {
    Throw(ErrorCode::kInvalidArgument,
          "{} needs {:.1f} GiB to run and check, this machine has {:.1f}", ShapeName(op, dims),
          bytes * 0x1p-30, memory * 0x1p-30);
  }
}

}  // namespace

std::vector<std::string> DimNames(const ops::Contract& op) {
  std::vector<std::string> names;
  for (const ops::Operand& input : op.inputs) AddSymbols(input.shape, names);
  AddSymbols(op.output.shape, names);
  for (const auto& [name, size] : op.defaults) AddName(name, names);
  return names;
}

std::vector<SweepAxis> AxesOf(const ops::Contract& op, ops::Device device) {
  std::vector<SweepAxis> axes;
  for (const std::string& name : DimNames(op)) {
    SweepAxis axis;
    axis.name = name;
    if (Has(op.switches, name)) {
      axis.least = 0;
      axis.most = 1;
    }
    axes.push_back(axis);
  }
  SweepAxis precision{"precision"}, backend{"backend"};
  for (const ops::Variant& variant : op.variants) {
    if (variant.device() != device) continue;
    AddName(ops::PrecisionName(variant.precision), precision.words);
    AddName(ops::BackendName(variant), backend.words);
  }
  axes.push_back(precision);
  axes.push_back(backend);
  if (device == ops::Device::kNpu) {
    axes.push_back({.name = "batch"});
    axes.push_back({.name = "reuse", .check = [](std::string_view value) {
                      static_cast<void>(device::ParseReuse(value));
                    }});
    axes.push_back({.name = "tile", .check = [](std::string_view) {}});
    axes.push_back({.name = "columns", .least = 1, .most = device::kColumns});
  }
  return axes;
}

ops::Dims DimsOf(const ops::Contract& op, const SweepPoint& point) {
  ops::Dims dims = op.defaults;
  for (auto& [name, size] : dims) {
    if (const auto it = point.find(name); it != point.end()) size = std::stoll(it->second);
  }
  Complete(op, point, dims);
  CheckSize(op, dims);
  return dims;
}

std::string ShapeName(const ops::Contract& op, const ops::Dims& dims) {
  std::vector<std::string> parts;
  for (const std::string& name : DimNames(op)) {
    if (!Has(op.derived, name)) parts.push_back(fmt::format("{}={}", name, dims.at(name)));
  }
  return fmt::format("{}", fmt::join(parts, ","));
}

}  // namespace xdna::bench
