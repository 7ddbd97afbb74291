#include "golden/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "base/tensor.h"
#include "golden/hdf5_file.h"

namespace xdna::golden {
namespace {

constexpr std::int64_t kMaxDim = std::int64_t{1} << 31;

std::string GroupOf(const std::string& case_name) { return "/cases/" + case_name; }

void CheckVersion(const Hdf5File& file, const char* attribute, std::int64_t wanted) {
  const std::int64_t found = file.IntAttribute("/", attribute);
  if (found == wanted) return;
  Throw(ErrorCode::kUnsupported,
        "{}: {} is {}, this program needs {}; rebuild the golden with bazel build //golden/...",
        file.path(), attribute, found, wanted);
}

Dims ParseDims(const std::string& text, const std::string& where) {
  Dims dims;
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    Throw(ErrorCode::kCorrupt, "{}: dims '{}' is not a JSON object", where, text);
  }
  for (const auto& [symbol, value] : json.items()) {
    if (!value.is_number_integer() || value < 0 || value > kMaxDim) {
      Throw(ErrorCode::kCorrupt, "{}: dim {} is {}, expected an integer from 0 to 2^31", where,
            symbol, value.dump());
    }
    dims[symbol] = value.get<std::int64_t>();
  }
  return dims;
}

// The shape that `symbolic` ("m,k", "n,k,3") stands for.
Shape Expand(const std::string& symbolic, const Dims& dims, const std::string& where) {
  Shape shape;
  for (std::size_t begin = 0; begin < symbolic.size();) {
    const std::size_t end = std::min(symbolic.find(',', begin), symbolic.size());
    const std::string part = symbolic.substr(begin, end - begin);
    begin = end + 1;
    if (const auto it = dims.find(part); it != dims.end()) {
      shape.push_back(it->second);
    } else if (!part.empty() && part.size() < 10 &&
               part.find_first_not_of("0123456789") == std::string::npos) {
      shape.push_back(std::stoll(part));
    } else {
      Throw(ErrorCode::kCorrupt, "{}: symbol '{}' of shape '{}' is not in the case's dims", where,
            part, symbolic);
    }
  }
  return shape;
}

void CheckFinite(const Tensor& tensor, bool non_negative, const std::string& where) {
  const auto* begin = tensor.data<const float>();
  const auto* end = begin + tensor.size();
  const auto* bad = std::find_if(begin, end, [non_negative](float value) {
    return !std::isfinite(value) || (non_negative && value < 0);
  });
  if (bad == end) return;
  Throw(ErrorCode::kCorrupt, "{}: element {} is {}, expected finite{} values", where, bad - begin,
        *bad, non_negative ? " and non-negative" : "");
}

// Reads and checks one dataset: dtype, shape, hash, values.
Tensor Verified(const Hdf5File& file, const std::string& path, const Dims& dims) {
  const std::string where = fmt::format("{}: {}", file.path(), path);
  if (!file.Has(path)) Throw(ErrorCode::kCorrupt, "{}: not in the file", where);
  if (const DType dtype = file.DTypeOf(path); dtype != DType::kF32) {
    Throw(ErrorCode::kCorrupt, "{}: holds {}, expected f32", where, DTypeName(dtype));
  }
  const std::string symbolic = file.StringAttribute(path, "symbolic");
  const Shape wanted = Expand(symbolic, dims, where);
  if (const Shape found = file.ShapeOf(path); found != wanted) {
    Throw(ErrorCode::kCorrupt, "{}: shape {}, but '{}' with the case's dims is {}", where,
          ShapeString(found), symbolic, ShapeString(wanted));
  }
  Tensor tensor = file.Read(path);
  const std::string expected = file.StringAttribute(path, "sha256");
  const std::string found = Sha256(tensor.view().raw(), tensor.bytes());
  if (found != expected) {
    Throw(ErrorCode::kCorrupt, "{}: SHA-256 of the data is {}, the file says '{}'", where, found,
          expected);
  }
  CheckFinite(tensor, path.find("/scale/") != std::string::npos, where);
  return tensor;
}

Dims DimsOf(const Hdf5File& file, const std::string& case_name) {
  const std::string group = GroupOf(case_name);
  if (!file.Has(group)) {
    Throw(ErrorCode::kNotFound, "{}: no case '{}'", file.path(), case_name);
  }
  return ParseDims(file.StringAttribute(group, "dims"), fmt::format("{}: {}", file.path(), group));
}

// Each result of an op's golden has magnitudes of its shape: tolerances are relative to them.
void CheckScales(const Case& c, const std::string& where) {
  for (const auto& [name, out] : c.out) {
    const auto it = c.scale.find(name);
    if (it == c.scale.end()) Throw(ErrorCode::kCorrupt, "{}: scale/{} is missing", where, name);
    if (it->second.shape() != out.shape()) {
      Throw(ErrorCode::kCorrupt, "{}: scale/{} has shape {}, out/{} has {}", where, name,
            ShapeString(it->second.shape()), name, ShapeString(out.shape()));
    }
  }
}

}  // namespace

Store Store::Open(const std::string& path, const std::string& kind) {
  Hdf5File file = Hdf5File::Open(path);
  CheckVersion(file, "schema_version", kSchemaVersion);
  CheckVersion(file, "generator_version", kGeneratorVersion);
  if (const std::string found = file.StringAttribute("/", "kind"); found != kind) {
    Throw(ErrorCode::kCorrupt, "{}: golden of kind '{}', expected '{}'", path, found, kind);
  }
  return Store(std::move(file));
}

std::string Store::attribute(const std::string& name) const {
  return file_.StringAttribute("/", name);
}

std::vector<std::string> Store::CaseNames() const { return file_.Children("/cases"); }

std::vector<std::string> Store::Datasets(const std::string& case_name,
                                         const std::string& group) const {
  const std::string path = GroupOf(case_name) + "/" + group;
  return file_.Has(path) ? file_.Children(path) : std::vector<std::string>();
}

Tensor Store::Read(const std::string& case_name, const std::string& dataset) const {
  return Verified(file_, GroupOf(case_name) + "/" + dataset, DimsOf(file_, case_name));
}

Case Store::Load(const std::string& name) const {
  Case result;
  result.name = name;
  result.dims = DimsOf(file_, name);
  const std::string group = GroupOf(name);
  const std::string where = fmt::format("{}: {}", file_.path(), group);
  result.data = file_.StringAttribute(group, "data");
  if (result.data != "exact" && result.data != "real" && result.data != "random") {
    Throw(ErrorCode::kCorrupt, "{}: data is '{}', expected exact, real or random", where,
          result.data);
  }
  const auto load = [&](const char* part, TensorMap& to) {
    for (const std::string& dataset : Datasets(name, part)) {
      to[dataset] = Verified(file_, fmt::format("{}/{}/{}", group, part, dataset), result.dims);
    }
  };
  load("in", result.in);
  load("out", result.out);
  load("scale", result.scale);
  if (result.in.empty()) Throw(ErrorCode::kCorrupt, "{}: no inputs", where);
  if (result.out.empty()) Throw(ErrorCode::kCorrupt, "{}: no results", where);
  if (attribute("kind") == "op") CheckScales(result, where);
  return result;
}

}  // namespace xdna::golden
