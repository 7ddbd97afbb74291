#include "golden/hdf5_types.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/tensor.h"

namespace xdna::hdf5 {
namespace {

// IEEE-754 binary16, little-endian, which HDF5 1.10 has no name for.
Id HalfType() {
  Id type(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  H5Tset_fields(type.get(), 15, 10, 5, 0, 10);
  H5Tset_size(type.get(), 2);
  H5Tset_ebias(type.get(), 15);
  return type;
}

}  // namespace

std::string Cause() {
  std::string cause = "no cause given";
  const auto take = [](unsigned, const H5E_error2_t* entry, void* out) -> herr_t {
    if (entry->desc != nullptr) *static_cast<std::string*>(out) = entry->desc;
    return 1;  // stop
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take, &cause);
  // Failed system calls come with times, addresses and line breaks around the words that matter.
  constexpr std::string_view kQuoted = "error message = '";
  if (const std::size_t at = cause.find(kQuoted); at != std::string::npos) {
    cause = cause.substr(at + kQuoted.size());
    cause = cause.substr(0, cause.find('\''));
  }
  return cause.substr(0, cause.find('\n'));
}

void Prepare() {
  [[maybe_unused]] static const herr_t once = H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Id Timeless(hid_t property_class) {
  Id plan(H5Pcreate(property_class), H5Pclose);
  H5Pset_obj_track_times(plan.get(), false);
  return plan;
}

void CreateGroups(hid_t file, const std::string& dataset) {
  const Id plan = Timeless(H5P_GROUP_CREATE);
  for (std::size_t end = 1; (end = dataset.find('/', end)) != std::string::npos; ++end) {
    const std::string group = dataset.substr(0, end);
    if (H5Lexists(file, group.c_str(), H5P_DEFAULT) > 0) continue;
    const Id made(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, plan.get(), H5P_DEFAULT), H5Gclose);
  }
}

bool IsHalf(hid_t type) {
  std::size_t sign = 0, exponent = 0, exponent_bits = 0, fraction = 0, fraction_bits = 0;
  H5Tget_fields(type, &sign, &exponent, &exponent_bits, &fraction, &fraction_bits);
  return sign == 15 && exponent == 10 && exponent_bits == 5 && fraction == 0 &&
         fraction_bits == 10 && H5Tget_ebias(type) == 15;
}

Id MemoryType(DType dtype) {
  const auto copy = [](hid_t type) { return Id(H5Tcopy(type), H5Tclose); };
  switch (dtype) {
    case DType::kF32:
      return copy(H5T_NATIVE_FLOAT);
    case DType::kF64:
      return copy(H5T_NATIVE_DOUBLE);
    case DType::kF16:
      return HalfType();
    case DType::kBf16:
      return copy(H5T_NATIVE_UINT16);
    case DType::kI8:
      return copy(H5T_NATIVE_INT8);
    case DType::kU8:
      return copy(H5T_NATIVE_UINT8);
    case DType::kI32:
      return copy(H5T_NATIVE_INT32);
    case DType::kI64:
      return copy(H5T_NATIVE_INT64);
  }
  return {};
}

std::string Unpadded(const std::string& text, hid_t type) {
  std::string result = text.substr(0, text.find('\0'));
  if (H5Tget_strpad(type) == H5T_STR_SPACEPAD) {
    result.erase(result.find_last_not_of(' ') + 1);
  }
  return result;
}

std::string TypeDescription(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return fmt::format("{}-bit {}", 8 * H5Tget_size(type),
                         H5Tget_sign(type) == H5T_SGN_NONE ? "unsigned" : "integer");
    case H5T_FLOAT:
      return fmt::format("{}-bit float", 8 * H5Tget_size(type));
    case H5T_STRING:
      return "string";
    default:
      return fmt::format("HDF5 type class {}", static_cast<int>(H5Tget_class(type)));
  }
}

}  // namespace xdna::hdf5
