// Golden files: HDF5 with inputs and float64 results made by golden/generate.py,
// which shares no code with what is tested.
//
// Layout, version 1. Root attributes: `schema_version` (int, 1), `kind` ("op" or
// "encoder"), `generator_version` (int), `op` (kind "op"), `seed` (int),
// `model_sha256`, `model_name`, `audio_sha256`, `geometry` (empty string where not
// used). A case is a group /cases/NAME with attributes `data` ("exact": small
// integers, every intermediate representable in f32 and bf16, and in int8 with
// symmetric scales by row, so that results are bit for bit the same on any machine;
// "real": real weights and real speech; "random": seeded) and `dims` (JSON object,
// symbol -> size), and with groups `in`, `out` and, in files of kind "op", `scale`
// (magnitudes for each result, see golden/compare.h). An encoder file has one case
// "window0" whose `out` holds every tap, and none if it was made without a model.
// Datasets are f32, finite, results rounded from float64; each has attributes
// `sha256` (of its little-endian bytes) and `symbolic` ("m,k", "d,c,3").
#ifndef GOLDEN_STORE_H_
#define GOLDEN_STORE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "golden/hdf5_file.h"

namespace xdna::golden {

inline constexpr int kSchemaVersion = 1;
inline constexpr int kGeneratorVersion = 1;  // as in golden/schema.py; Open compares

// Symbolic dimension -> size, e.g. {"m", 1500}.
using Dims = std::map<std::string, std::int64_t, std::less<>>;

struct Case {
  std::string name;
  std::string data;  // "exact", "real" or "random"
  Dims dims;
  TensorMap in;
  TensorMap out;
  TensorMap scale;
};

class Store {
 public:
  // Opens and checks version and kind. Throws kNotFound, kCorrupt, or
  // kUnsupported for an outdated schema or generator ("rebuild //golden/...").
  static Store Open(const std::string& path, const std::string& kind);

  const std::string& path() const { return file_.path(); }
  std::string attribute(const std::string& name) const;
  std::vector<std::string> CaseNames() const;
  // Reads a case and verifies the hash of every dataset, its shape against its
  // symbols and the case's dims, and that inputs and results are there and finite
  // where they must be. Throws kCorrupt naming file, dataset, found, expected.
  Case Load(const std::string& name) const;
  // One dataset of a case, verified alike: Read("window0", "out/ln_post").
  Tensor Read(const std::string& case_name, const std::string& dataset) const;
  std::vector<std::string> Datasets(const std::string& case_name, const std::string& group) const;

 private:
  explicit Store(Hdf5File file) : file_(std::move(file)) {}
  Hdf5File file_;
};

}  // namespace xdna::golden

#endif  // GOLDEN_STORE_H_
