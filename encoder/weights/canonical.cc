// The canonical HDF5 file: written once from any checkpoint, read with a hash for each tensor.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "base/tensor.h"
#include "encoder/weights/encoding.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"
#include "encoder/weights/reader.h"
#include "golden/hdf5_file.h"

namespace xdna::encoder {
namespace internal {
namespace {

constexpr const char* kKind = "model";

const std::pair<const char*, std::int64_t Geometry::*> kFields[] = {
    {"n_mels", &Geometry::n_mels},
    {"n_audio_ctx", &Geometry::n_audio_ctx},
    {"d_model", &Geometry::d_model},
    {"n_heads", &Geometry::n_heads},
    {"n_layers", &Geometry::n_layers},
    {"n_decoder_heads", &Geometry::n_decoder_heads},
    {"n_decoder_layers", &Geometry::n_decoder_layers},
    {"n_text_ctx", &Geometry::n_text_ctx},
    {"n_vocab", &Geometry::n_vocab},
};

std::string DatasetOf(const std::string& name) { return "/weights/" + name; }

std::string HashOf(const Tensor& tensor) { return Sha256(tensor.view().raw(), tensor.bytes()); }

class CanonicalBacking : public Backing {
 public:
  explicit CanonicalBacking(Hdf5File file) : file_(std::move(file)) {}

  Tensor Load(std::size_t index) const override {
    Tensor stored = Read(tensors[index].name);
    if (stored.dtype() == DType::kF16) {
      Tensor decoded(DType::kF32, stored.shape());
      Decode(Encoding::kF16, static_cast<const std::byte*>(stored.view().raw()),
             static_cast<std::size_t>(stored.size()), {}, 0, decoded.data<float>());
      stored = std::move(decoded);
    }
    CheckFinite(stored);
    return stored;
  }

  std::string Hash() const override { return Sha256OfFile(path); }

  std::optional<std::string> OriginHash() const override {
    const std::scoped_lock lock(mutex_);
    if (file_.IntAttribute("/", "lossless") == 0) return std::nullopt;
    return file_.StringAttribute("/", "source_sha256");
  }

 private:
  Tensor Read(const std::string& name) const {
    const std::scoped_lock lock(mutex_);  // HDF5 is built without its own
    const std::string dataset = DatasetOf(name);
    Tensor stored = file_.Read(dataset);
    const std::string wanted = file_.StringAttribute(dataset, "sha256");
    if (const std::string found = HashOf(stored); found != wanted) {
      Throw(ErrorCode::kCorrupt, "SHA-256 of the data is {}, attribute sha256 says '{}'", found,
            Printable(wanted));
    }
    return stored;
  }

  Hdf5File file_;
  mutable std::mutex mutex_;
};

Geometry ReadGeometry(const Hdf5File& file) {
  Geometry geometry;
  for (const auto& [name, field] : kFields) geometry.*field = file.IntAttribute("/", name);
  WithContext(file.path(), [&] { CheckGeometry(geometry, ErrorCode::kCorrupt); });
  geometry.name = GeometryName(geometry);
  return geometry;
}

TensorInfo CheckDataset(const Hdf5File& file, const TensorSpec& spec) {
  const std::string dataset = DatasetOf(spec.name);
  const std::string where = file.path() + ": " + dataset;
  if (!file.Has(dataset)) {
    Throw(ErrorCode::kCorrupt, "{}: missing; expected shape {}", where, ShapeString(spec.shape));
  }
  const Shape shape = file.ShapeOf(dataset);
  const DType dtype = file.DTypeOf(dataset);
  if (shape != spec.shape || (dtype != DType::kF32 && dtype != DType::kF16)) {
    Throw(ErrorCode::kCorrupt, "{}: {} {}; expected f32 or f16 {}", where, DTypeName(dtype),
          ShapeString(shape), ShapeString(spec.shape));
  }
  return {spec.name, DTypeName(dtype), shape, NumElements(shape) * SizeOf(dtype)};
}

// What a file of ours holds beside the weights is news to this version.
void CheckNoMore(const Hdf5File& file, std::size_t expected) {
  const std::size_t found = file.Children("/weights").size();
  if (found != expected) {
    Throw(ErrorCode::kCorrupt, "{}: /weights: {} datasets; expected {}", file.path(), found,
          expected);
  }
}

}  // namespace

std::shared_ptr<Backing> OpenCanonical(const std::string& path) {
  Hdf5File file = Hdf5File::Open(path);
  const std::int64_t version = file.IntAttribute("/", "schema_version");
  const std::string kind = file.StringAttribute("/", "kind");
  if (kind != kKind || version != kModelSchemaVersion) {
    Throw(ErrorCode::kUnsupported,
          "{}: kind '{}', schema version {}; expected '{}', {}: import the model again with "
          "//tools:import_model",
          path, Printable(kind), version, kKind, kModelSchemaVersion);
  }
  const Geometry geometry = ReadGeometry(file);
  std::vector<TensorInfo> tensors;
  for (const TensorSpec& spec : ExpectedTensors(geometry)) {
    tensors.push_back(CheckDataset(file, spec));
  }
  CheckNoMore(file, tensors.size());
  auto backing = std::make_shared<CanonicalBacking>(std::move(file));
  backing->format = fmt::format("hdf5 v{}", kModelSchemaVersion);
  backing->geometry = geometry;
  backing->tensors = std::move(tensors);
  return backing;
}

}  // namespace internal

namespace {

// `tensor` (f32) rounded to f16; clears `lossless` if a number changed.
Tensor ToHalf(const Tensor& tensor, bool& lossless) {
  Tensor half(DType::kF16, tensor.shape());
  const auto* values = tensor.data<float>();
  auto* bits = static_cast<std::uint16_t*>(half.view().raw());
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    bits[i] = internal::FloatToHalf(values[i]);
    const float back = HalfToFloat(bits[i]);
    if (back > 65504 || back < -65504) {
      Throw(ErrorCode::kCorrupt, "element {} is {}, beyond f16; import with f32", i, values[i]);
    }
    lossless = lossless && back == values[i];
  }
  return half;
}

}  // namespace

void WriteCanonical(const Model& model, const std::string& path, std::optional<DType> dtype) {
  if (dtype && *dtype != DType::kF16 && *dtype != DType::kF32) {
    Throw(ErrorCode::kInvalidArgument, "weights can't be stored as {}; known: f16 f32",
          DTypeName(*dtype));
  }
  const std::string source_sha256 = model.origin_sha256();
  Hdf5File file = Hdf5File::Create(path);
  bool lossless = true;
  for (const TensorInfo& info : model.tensors()) {
    Tensor tensor = model.Load(info.name);
    if (dtype ? *dtype == DType::kF16 : info.dtype == "f16") {
      tensor = WithContext(fmt::format("{}: tensor {}", model.path(), info.name),
                           [&] { return ToHalf(tensor, lossless); });
    }
    const std::string dataset = internal::DatasetOf(info.name);
    file.Write(dataset, tensor);
    file.SetAttribute(dataset, "sha256", internal::HashOf(tensor));
  }
  file.SetAttribute("/", "schema_version", std::int64_t{kModelSchemaVersion});
  file.SetAttribute("/", "kind", std::string(internal::kKind));
  file.SetAttribute("/", "name", model.geometry().name);
  for (const auto& [name, field] : internal::kFields) {
    file.SetAttribute("/", name, model.geometry().*field);
  }
  file.SetAttribute("/", "source_format", model.format());
  file.SetAttribute("/", "source_sha256", source_sha256);
  file.SetAttribute("/", "lossless", std::int64_t{lossless ? 1 : 0});
  file.Close();
}

}  // namespace xdna::encoder
