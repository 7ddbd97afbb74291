// Small checkpoints of every format, for tests: written by independent code from the formats'
// descriptions, and easy to spoil.
#ifndef ENCODER_WEIGHTS_TEST_FILES_H_
#define ENCODER_WEIGHTS_TEST_FILES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"

namespace xdna::encoder::test {

// The smallest model that has everything: width 64, one layer each.
Geometry TinyGeometry();

struct FileTensor {
  std::string name;   // in the format
  std::string dtype;  // as TensorInfo::dtype, and "i16", "i64"
  Shape shape;
  std::string data;
};
using FileTensors = std::vector<FileTensor>;

// The tensor called `name`; the test fails if there is none.
FileTensor& Find(FileTensors& tensors, std::string_view name);
void Remove(FileTensors& tensors, std::string_view name);

// f32 numbers in another dtype. The q formats and i8 round in some sensible way; i8 puts its row
// scales into `scales`.
std::string Encode(const float* values, std::size_t count, const std::string& dtype,
                   std::size_t row, std::string* scales);

// CTranslate2: `dtype` f32, f16, bf16 or i8 (weights of linear layers and embeddings, the rest
// f32).
FileTensors CTranslate2Tensors(const Model& model, const std::string& dtype);
struct CTranslate2Options {
  std::uint32_t version = 6;
  std::string spec = "WhisperSpec";
  std::vector<std::pair<std::string, std::string>> aliases = {
      {"decoder/projection/weight", "decoder/embeddings/weight"}};
};
std::string CTranslate2File(const FileTensors& tensors, const CTranslate2Options& options = {});

// Hugging Face: every tensor in `dtype`, names with `prefix` ("model." or "").
FileTensors SafetensorsTensors(const Model& model, const std::string& dtype,
                               const std::string& prefix = "model.");
std::string SafetensorsHeader(const FileTensors& tensors);
std::string SafetensorsFile(const std::string& header, const FileTensors& tensors);
std::string SafetensorsFile(const FileTensors& tensors);

// whisper.cpp: `dtype` for matrices, f32 for the rest.
FileTensors GgmlTensors(const Model& model, const std::string& dtype);
std::string GgmlFile(const Geometry& geometry, const FileTensors& tensors,
                     std::int32_t quantisation_version = 2);

// Writes `content` to a new file in the test's own directory and returns its path.
std::string WriteFile(const std::string& name, const std::string& content);
std::string ReadFile(const std::string& path);

// Little-endian bytes of a number.
template <typename T>
std::string Raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// The seeded model of TinyGeometry() that test files are made from.
const Model& Tiny();

void SetFloat(std::string& data, std::size_t index, float value);

// Opens the model at `path` and loads every tensor.
void LoadAll(const std::string& path);

// Expects LoadAll to end in an Error of one line with `message` and the path. ExpectBadFile writes
// the file first.
void ExpectError(const std::string& path, ErrorCode code, const std::string& message);
void ExpectBadFile(const std::string& content, ErrorCode code, const std::string& message);

}  // namespace xdna::encoder::test

#endif  // ENCODER_WEIGHTS_TEST_FILES_H_
