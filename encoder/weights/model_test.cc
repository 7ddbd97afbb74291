// Every format read back to the numbers that were written.
#include "encoder/weights/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/bf16.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/tensor.h"
#include "encoder/weights/encoding.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/test_files.h"
#include "golden/hdf5_file.h"

namespace xdna::encoder {
namespace {

using test::FileTensors;
using test::Tiny;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

float RoundToHalf(float value) { return HalfToFloat(internal::FloatToHalf(value)); }
float RoundToBf16(float value) { return Bf16::FromFloat(value).ToFloat(); }
float Same(float value) { return value; }

// All tensors of `got` are those of `want` after `rounded`.
void ExpectSame(const Model& got, const Model& want, const std::function<float(float)>& rounded) {
  EXPECT_EQ(got.geometry(), want.geometry());
  ASSERT_EQ(got.tensors().size(), want.tensors().size());
  for (std::size_t i = 0; i < want.tensors().size(); ++i) {
    const std::string& name = want.tensors()[i].name;
    ASSERT_EQ(got.tensors()[i].name, name);
    const Tensor a = got.Load(name);
    const Tensor b = want.Load(name);
    ASSERT_EQ(a.shape(), b.shape()) << name;
    ASSERT_EQ(a.dtype(), DType::kF32);
    for (std::int64_t j = 0; j < a.size(); ++j) {
      ASSERT_EQ(a.data<float>()[j], rounded(b.data<float>()[j])) << name << " " << j;
    }
  }
}

// Matrices within `bound` of the largest magnitude, everything else exact.
void ExpectClose(const Model& got, const Model& want, const char* dtype, float bound) {
  for (const TensorInfo& info : got.tensors()) {
    const Tensor a = got.Load(info.name);
    const Tensor b = want.Load(info.name);
    const bool matrix = info.shape.size() == 2 && info.name.ends_with(".weight");
    EXPECT_EQ(info.dtype, matrix ? dtype : "f32") << info.name;
    float most = 0;
    float error = 0;
    for (std::int64_t i = 0; i < b.size(); ++i) {
      most = std::max(most, std::abs(b.data<float>()[i]));
      error = std::max(error, std::abs(a.data<float>()[i] - b.data<float>()[i]));
    }
    EXPECT_LE(error, matrix ? bound * most : 0) << info.name;
  }
}

TEST(CTranslate2, RoundTrips) {
  for (std::uint32_t version : {5, 6}) {
    const std::string f32 = test::WriteFile(
        "ct2.f32",
        test::CTranslate2File(test::CTranslate2Tensors(Tiny(), "f32"), {.version = version}));
    EXPECT_EQ(Model::Open(f32).format(), "ctranslate2 v" + std::to_string(version));
    ExpectSame(Model::Open(f32), Tiny(), Same);
  }
  const auto open = [](const char* dtype) {
    return Model::Open(
        test::WriteFile("ct2", test::CTranslate2File(test::CTranslate2Tensors(Tiny(), dtype))));
  };
  ExpectSame(open("f16"), Tiny(), RoundToHalf);
  EXPECT_EQ(open("f16").tensors()[0].dtype, "f16");
  ExpectSame(open("bf16"), Tiny(), RoundToBf16);
  ExpectClose(open("i8"), Tiny(), "i8", 0.5F / 127 + 1e-6F);
}

TEST(CTranslate2, ListsWhatIsNotAWeight) {
  const Model model = Model::Open(
      test::WriteFile("ct2", test::CTranslate2File(test::CTranslate2Tensors(Tiny(), "f16"))));
  std::vector<std::string> names;
  for (const TensorInfo& info : model.extras()) names.push_back(info.name);
  EXPECT_THAT(names, ElementsAre("decoder/alignment_heads", "decoder/num_heads", "decoder/pre_norm",
                                 "decoder/projection/weight", "encoder/num_heads"));
}

// The converter stores equal tensors once, whatever they are.
TEST(CTranslate2, AnyTensorCanBeAnAlias) {
  for (const char* dtype : {"f16", "i8"}) {
    FileTensors tensors = test::CTranslate2Tensors(Tiny(), dtype);
    test::Remove(tensors, "decoder/layer_0/attention/linear_0/weight");
    if (std::string(dtype) == "i8") {
      test::Remove(tensors, "decoder/layer_0/attention/linear_0/weight_scale");
    }
    const Model model = Model::Open(test::WriteFile(
        "ct2", test::CTranslate2File(
                   tensors, {.aliases = {{"decoder/layer_0/attention/linear_0/weight",
                                          "encoder/layer_0/self_attention/linear_1/weight"}}})));
    const Tensor a = model.Load("decoder.blocks.0.cross_attn.query.weight");
    const Tensor b = model.Load("encoder.blocks.0.attn.out.weight");
    for (std::int64_t i = 0; i < a.size(); ++i) ASSERT_EQ(a.data<float>()[i], b.data<float>()[i]);
  }
}

TEST(Safetensors, RoundTrips) {
  const auto open = [](const char* dtype, const char* prefix) {
    return Model::Open(test::WriteFile(
        "hf", test::SafetensorsFile(test::SafetensorsTensors(Tiny(), dtype, prefix))));
  };
  EXPECT_EQ(open("f32", "").format(), "safetensors");
  ExpectSame(open("f32", "model."), Tiny(), Same);
  ExpectSame(open("f16", ""), Tiny(), RoundToHalf);
  ExpectSame(open("bf16", "model."), Tiny(), RoundToBf16);
}

TEST(Safetensors, TiedProjectionIsAnExtra) {
  FileTensors tensors = test::SafetensorsTensors(Tiny(), "f32");
  tensors.push_back(test::Find(tensors, "model.decoder.embed_tokens.weight"));
  tensors.back().name = "proj_out.weight";
  const Model model = Model::Open(test::WriteFile("hf", test::SafetensorsFile(tensors)));
  ASSERT_EQ(model.extras().size(), 1u);
  EXPECT_EQ(model.extras()[0].name, "proj_out.weight");
}

TEST(Safetensors, NamesOfOpenAiAreFineToo) {
  FileTensors tensors;
  const Model& tiny = Tiny();
  for (const TensorInfo& info : tiny.tensors()) {
    const Tensor tensor = tiny.Load(info.name);
    tensors.push_back({info.name, "f32", info.shape,
                       test::Encode(tensor.data<float>(), tensor.size(), "f32", 1, nullptr)});
  }
  ExpectSame(Model::Open(test::WriteFile("hf", test::SafetensorsFile(tensors))), tiny, Same);
}

TEST(Safetensors, ConfigBesideItIsCompared) {
  const std::string content = test::SafetensorsFile(test::SafetensorsTensors(Tiny(), "f32"));
  const std::string path = test::WriteFile("with_config/model.safetensors", content);
  test::WriteFile("with_config/config.json",
                  R"({"d_model": 64, "encoder_layers": 1, "encoder_attention_heads": 1,
                      "num_mel_bins": 4, "vocab_size": 10, "activation_function": "gelu"})");
  EXPECT_EQ(Model::Open(path).geometry(), Tiny().geometry());
  const auto expect = [&path](const char* config, const char* message) {
    test::WriteFile("with_config/config.json", config);
    try {
      Model::Open(path);
      ADD_FAILURE() << "passed: " << config;
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr(message));
    }
  };
  expect(R"({"encoder_attention_heads": 2})",
         "config.json's encoder_attention_heads is 2, the tensors say 1");
  expect(R"({"d_model": "wide"})",
         "config.json beside it: 'd_model' is \"wide\"; expected a whole");
  expect("{", "config.json beside it: not JSON");
}

TEST(Ggml, RoundTrips) {
  const auto open = [](const char* dtype) {
    return Model::Open(test::WriteFile(
        "ggml", test::GgmlFile(test::TinyGeometry(), test::GgmlTensors(Tiny(), dtype))));
  };
  EXPECT_EQ(open("f32").format(), "ggml");
  ExpectSame(open("f32"), Tiny(), Same);
  const Model f16 = open("f16");
  EXPECT_EQ(f16.Load("encoder.conv1.weight").data<float>()[1],
            RoundToHalf(Tiny().Load("encoder.conv1.weight").data<float>()[1]));
  ExpectClose(open("q8_0"), Tiny(), "q8_0", 0.5F / 127 + 1e-3F);
  ExpectClose(open("q5_0"), Tiny(), "q5_0", 0.5F / 15 + 1e-3F);
  ExpectClose(open("q5_1"), Tiny(), "q5_1", 1.0F / 31 + 2e-3F);
  ExpectClose(open("q4_0"), Tiny(), "q4_0", 0.5F / 7 + 1e-3F);
  ExpectClose(open("q4_1"), Tiny(), "q4_1", 1.0F / 15 + 2e-3F);
}

TEST(Canonical, RoundTrips) {
  const std::string f32 = ::testing::TempDir() + "f32.h5";
  WriteCanonical(Tiny(), f32);
  const Model model = Model::Open(f32);
  EXPECT_EQ(model.format(), "hdf5 v1");
  EXPECT_EQ(model.sha256(), Sha256OfFile(f32));
  EXPECT_EQ(model.origin_sha256(), Tiny().sha256());
  ExpectSame(model, Tiny(), Same);
  EXPECT_EQ(Hdf5File::Open(f32).StringAttribute("/", "source_format"), "synthetic");

  const std::string f16 = ::testing::TempDir() + "f16.h5";
  WriteCanonical(Tiny(), f16, DType::kF16);
  ExpectSame(Model::Open(f16), Tiny(), RoundToHalf);
  EXPECT_EQ(Model::Open(f16).tensors()[0].dtype, "f16");
  EXPECT_EQ(Model::Open(f16).origin_sha256(), Sha256OfFile(f16)) << "rounded: not those numbers";

  EXPECT_THROW(WriteCanonical(Tiny(), f16, DType::kBf16), Error);
}

TEST(Canonical, KeepsHalfAsItWas) {
  const Model half = Model::Open(
      test::WriteFile("ct2", test::CTranslate2File(test::CTranslate2Tensors(Tiny(), "f16"))));
  const std::string path = ::testing::TempDir() + "half.h5";
  WriteCanonical(half, path);
  const Model model = Model::Open(path);
  EXPECT_EQ(model.tensors()[0].dtype, "f16");
  EXPECT_EQ(model.origin_sha256(), half.sha256());
  ExpectSame(model, half, Same);
}

TEST(Model, OpensADirectory) {
  const std::string directory = ::testing::TempDir() + "directory";
  std::filesystem::create_directories(directory);
  WriteCanonical(Tiny(), directory + "/any.h5");
  EXPECT_EQ(Model::Open(directory).path(), directory + "/any.h5");
  test::WriteFile("directory/model.safetensors",
                  test::SafetensorsFile(test::SafetensorsTensors(Tiny(), "f16")));
  EXPECT_EQ(Model::Open(directory).format(), "safetensors");
}

TEST(Model, UnknownTensorIsAnError) {
  try {
    Tiny().Load("encoder.conv3.weight");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.message(), HasSubstr("no tensor 'encoder.conv3.weight'"));
  }
}

TEST(Model, LoadsFromSeveralThreads) {
  const std::string path = ::testing::TempDir() + "threads.h5";
  WriteCanonical(Tiny(), path);
  const Model model = Model::Open(path);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&model] { ExpectSame(model, Tiny(), Same); });
  for (std::thread& thread : threads) thread.join();
}

// A promise to golden/generate.py, which makes the same numbers. Values from numpy.
TEST(SyntheticModel, KnownNumbers) {
  const Model model = SyntheticModel(KnownGeometry("whisper-tiny"), 7);
  struct Known {
    const char* name;
    std::int64_t index;
    float value;
  };
  for (const Known& known : {Known{"encoder.conv1.weight", 92159, -0.0667016879F},
                             Known{"encoder.conv1.bias", 0, 0.0159691852F},
                             Known{"encoder.blocks.3.attn.key.weight", 147455, -0.0666118786F},
                             Known{"encoder.blocks.0.mlp.2.weight", 1000, 0.0215235706F},
                             Known{"encoder.blocks.2.mlp_ln.weight", 383, 1.25585341F},
                             Known{"encoder.blocks.2.attn_ln.bias", 17, -0.0101274895F},
                             Known{"encoder.ln_post.weight", 0, 0.973329306F},
                             Known{"decoder.token_embedding.weight", 19915781, 0.0303389616F},
                             Known{"decoder.positional_embedding", 447, -0.000767024292F},
                             Known{"decoder.blocks.1.cross_attn_ln.bias", 3, 0.0102326516F},
                             Known{"decoder.blocks.1.cross_attn.out.bias", 3, 0.0213042777F},
                             Known{"decoder.ln.weight", 9, 0.784134507F},
                             Known{"encoder.positional_embedding", 473956, -0.486502614F}}) {
    const float value = model.Load(known.name).data<float>()[known.index];
    EXPECT_FLOAT_EQ(value, known.value) << known.name << " " << known.index;
  }
}

TEST(SyntheticModel, SeedsAndNamesDiffer) {
  const Model other = SyntheticModel(test::TinyGeometry(), 6);
  EXPECT_NE(other.sha256(), Tiny().sha256());
  const auto first = [](const Model& model, const char* name) {
    return model.Load(name).data<float>()[0];
  };
  EXPECT_NE(first(other, "encoder.conv1.weight"), first(Tiny(), "encoder.conv1.weight"));
  EXPECT_NE(first(Tiny(), "encoder.conv1.bias"), first(Tiny(), "encoder.conv2.bias"));
}

TEST(SyntheticModel, AbsurdGeometryIsAnError) {
  Geometry geometry = test::TinyGeometry();
  geometry.n_layers = 1 << 30;
  EXPECT_THROW(SyntheticModel(geometry, 1), Error);
}

TEST(Sinusoids, FollowTheFormula) {
  const Tensor table = Sinusoids(1500, 512);
  const auto at = [&table](std::int64_t t, std::int64_t c) {
    return table.data<float>()[t * 512 + c];
  };
  EXPECT_EQ(at(0, 0), 0);
  EXPECT_EQ(at(0, 256), 1);
  EXPECT_EQ(at(1, 0), static_cast<float>(std::sin(1.0)));
  EXPECT_EQ(at(1499, 256), static_cast<float>(std::cos(1499.0)));
  EXPECT_FLOAT_EQ(at(1499, 255), static_cast<float>(std::sin(0.1499)));
  EXPECT_THROW(Sinusoids(10, 2), Error);
  EXPECT_THROW(Sinusoids(10, 7), Error);
}

}  // namespace
}  // namespace xdna::encoder
