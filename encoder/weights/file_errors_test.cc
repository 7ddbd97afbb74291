// Damaged canonical files, other people's formats, bad paths, and files cut anywhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/tensor.h"
#include "encoder/weights/model.h"
#include "encoder/weights/test_files.h"
#include "golden/hdf5_file.h"

namespace xdna::encoder {
namespace {

using test::ExpectBadFile;
using test::ExpectError;
using test::FileTensors;
using test::Find;
using test::LoadAll;
using test::Tiny;
using ::testing::HasSubstr;

constexpr ErrorCode kCorrupt = ErrorCode::kCorrupt;
constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

class CanonicalErrors : public ::testing::Test {
 protected:
  // A canonical file with the tensors of Tiny(), spoiled before it is closed.
  static std::string Write(const std::function<void(Hdf5File&)>& spoil,
                           const std::string& left_out = "") {
    const std::string good = ::testing::TempDir() + "good.h5";
    WriteCanonical(Tiny(), good);
    const std::string path = ::testing::TempDir() + "bad.h5";
    const Hdf5File source = Hdf5File::Open(good);
    Hdf5File file = Hdf5File::Create(path);
    for (const std::string& name : source.Children("/weights")) {
      if (name == left_out) continue;
      file.Write("/weights/" + name, source.Read("/weights/" + name));
      file.SetAttribute("/weights/" + name, "sha256",
                        source.StringAttribute("/weights/" + name, "sha256"));
    }
    for (const char* name : {"kind", "source_sha256"}) {
      file.SetAttribute("/", name, source.StringAttribute("/", name));
    }
    for (const char* name :
         {"schema_version", "lossless", "n_mels", "n_audio_ctx", "d_model", "n_heads", "n_layers",
          "n_decoder_heads", "n_decoder_layers", "n_text_ctx", "n_vocab"}) {
      file.SetAttribute("/", name, source.IntAttribute("/", name));
    }
    spoil(file);
    file.Close();
    return path;
  }
};

TEST_F(CanonicalErrors, Attributes) {
  EXPECT_NO_THROW(LoadAll(Write([](Hdf5File&) {})));
  const auto set = [](const char* name, std::int64_t value) {
    return Write([=](Hdf5File& file) { file.SetAttribute("/", name, value); });
  };
  ExpectError(set("schema_version", 2), kUnsupported, "kind 'model', schema version 2; expected");
  ExpectError(set("n_vocab", 11), kCorrupt,
              "/weights/decoder.token_embedding.weight: f32 [10,64]; expected f32 or f16 [11,64]");
  ExpectError(set("n_layers", 2), kCorrupt,
              "/weights/encoder.blocks.1.attn_ln.weight: missing; expected shape [64]");
  ExpectError(set("d_model", 1LL << 40), kCorrupt, "d_model is 1099511627776; expected 1 to");
  ExpectError(Write([](Hdf5File& file) { file.SetAttribute("/", "kind", std::string("encoder")); }),
              kUnsupported, "kind 'encoder', schema version 1; expected 'model', 1");
}

TEST_F(CanonicalErrors, Datasets) {
  const std::string name = "encoder.conv1.bias";
  const auto replaced = [&](const Tensor& tensor) {
    return Write([&](Hdf5File& file) { file.Write("/weights/" + name, tensor); }, name);
  };
  ExpectError(Write([](Hdf5File&) {}, name), kCorrupt,
              "/weights/encoder.conv1.bias: missing; expected shape [64]");
  ExpectError(replaced(Tensor(DType::kF64, {64})), kCorrupt,
              "encoder.conv1.bias: f64 [64]; expected f32 or f16 [64]");
  ExpectError(replaced(Tensor(DType::kF32, {8, 8})), kCorrupt,
              "encoder.conv1.bias: f32 [8,8]; expected f32 or f16 [64]");
  ExpectError(replaced(Tensor(DType::kF32, {64})), kCorrupt, "attribute 'sha256' is missing");
  ExpectError(Write([](Hdf5File& file) {
                file.SetAttribute("/weights/encoder.conv1.bias", "sha256", std::string("0"));
              }),
              kCorrupt, "attribute sha256 says '0'");
  ExpectError(
      Write([](Hdf5File& file) { file.Write("/weights/encoder.more", Tensor(DType::kF32, {1})); }),
      kCorrupt, "/weights: 51 datasets; expected 50");
}

TEST_F(CanonicalErrors, OneChangedByteOfAWeightIsNoticed) {
  std::string content = test::ReadFile(Write([](Hdf5File&) {}));
  const Tensor bias = Tiny().Load("encoder.conv1.bias");
  const std::string bytes(reinterpret_cast<const char*>(bias.data<float>()), bias.bytes());
  content[content.find(bytes) + 17] ^= 1;
  ExpectBadFile(content, kCorrupt, "tensor encoder.conv1.bias: SHA-256 of the data is");
}

TEST(CanonicalWriteErrors, NamesWhatIsWrong) {
  FileTensors tensors = test::GgmlTensors(Tiny(), "f32");
  test::SetFloat(Find(tensors, "encoder.conv1.bias").data, 1, 70000);
  const Model large =
      Model::Open(test::WriteFile("large_weight", test::GgmlFile(test::TinyGeometry(), tensors)));
  const std::string path = ::testing::TempDir() + "never.h5";
  try {
    WriteCanonical(large, path, DType::kF16);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("large_weight: tensor encoder.conv1.bias: element 1 is "
                                           "70000, beyond f16; import with f32"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
  EXPECT_THROW(WriteCanonical(large, ::testing::TempDir() + "no/such/folder.h5"), Error);
}

TEST(ForeignFiles, AreNamed) {
  const auto binary = [](const std::string& start) { return start + std::string(600, '\x01'); };
  ExpectBadFile(binary("PK\x03\x04"), kUnsupported, "as PyTorch writes checkpoints: convert");
  ExpectBadFile(binary("\x80\x02"), kUnsupported, "as PyTorch writes checkpoints");
  ExpectBadFile(binary("GGUF"), kUnsupported, "a GGUF file: use whisper.cpp's own ggml file");
  ExpectBadFile(binary("\x08\x07\x12\x07pytorch"), kUnsupported, "an ONNX model");
  ExpectBadFile(binary("\x1f\x8b"), kUnsupported, "compressed with gzip");
  ExpectBadFile("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", kUnsupported,
                "a Git LFS pointer: fetch the file itself");
  ExpectBadFile("{\"abc\": {\"weight_map\": 1}}", kUnsupported,
                "a text file; expected CTranslate2");
  ExpectBadFile(binary("\xff\xfe\x7f"), kUnsupported, "begins with '\\xff\\xfe\\x7f\\x01");
  ExpectBadFile("\x89HDF\r\n\x1a\nrubbish", kCorrupt, "HDF5");
  ExpectBadFile("", kCorrupt, "empty file");
  ExpectBadFile("l", kUnsupported, "a text file");
}

TEST(Paths, AreChecked) {
  ExpectError(::testing::TempDir() + "nothing_here.bin", ErrorCode::kNotFound, "No such file");
  ExpectError("/dev/null", kCorrupt, "not a regular file");
  const std::string directory = ::testing::TempDir() + "empty_directory";
  std::filesystem::create_directories(directory);
  ExpectError(directory, ErrorCode::kNotFound, "a directory without a checkpoint; expected");
  test::WriteFile("empty_directory/model.safetensors.index.json", "{}");
  ExpectError(directory, kUnsupported, "safetensors in several shards");
  test::WriteFile("two/a.h5", "");
  test::WriteFile("two/b.h5", "");
  ExpectError(::testing::TempDir() + "two", ErrorCode::kInvalidArgument, "2 *.h5 files; name one");
}

// Cut anywhere, a file is an error: at every byte of the first kilobytes and the last, and at many
// places between.
void ExpectErrorWhereverCut(const std::string& content) {
  const std::string path = test::WriteFile("cut", content);
  ASSERT_NO_THROW(LoadAll(path));
  for (std::size_t size = content.size(); size-- > 0;) {
    if (size > 4000 && size < content.size() - 500 && size % 997 != 0) continue;
    std::filesystem::resize_file(path, size);
    try {
      LoadAll(path);
      FAIL() << "passed with " << size << " of " << content.size() << " bytes";
    } catch (const Error& error) {
      ASSERT_THAT(error.message(), HasSubstr(path));
    }
  }
}

TEST(Truncation, CTranslate2) {
  ExpectErrorWhereverCut(test::CTranslate2File(test::CTranslate2Tensors(Tiny(), "f16")));
}
TEST(Truncation, Safetensors) {
  ExpectErrorWhereverCut(test::SafetensorsFile(test::SafetensorsTensors(Tiny(), "f16")));
}
TEST(Truncation, Ggml) {
  ExpectErrorWhereverCut(test::GgmlFile(test::TinyGeometry(), test::GgmlTensors(Tiny(), "q5_0")));
}
TEST(Truncation, Canonical) {
  const std::string path = ::testing::TempDir() + "whole.h5";
  WriteCanonical(Tiny(), path, DType::kF16);
  ExpectErrorWhereverCut(test::ReadFile(path));
}

}  // namespace
}  // namespace xdna::encoder
