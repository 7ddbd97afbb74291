// The real Whisper base: dimensions, presence and statistics of its weights, and the way through a
// canonical file and back.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/program.h"
#include "base/tensor.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"

namespace xdna::encoder {
namespace {

// From model.bin with a reader in numpy that shares nothing with ours; sums in float64.
struct Statistics {
  const char* name;
  double sum;
  double sum_of_magnitudes;
  float first;
  float last;
};
constexpr Statistics kStatistics[] = {
    {"encoder.conv1.weight", 89.30438167, 3159.84387, 0.00426101685F, -0.00825500488F},
    {"encoder.conv2.bias", -392.8280602, 677.9101601, -0.934082031F, 0.130371094F},
    {"encoder.positional_embedding", 159468.2808, 481338.7643, 0.0F, 0.988769531F},
    {"encoder.blocks.3.attn.query.weight", 5.942140877, 5255.574207, -0.0354309082F,
     -0.0303649902F},
    {"encoder.blocks.3.attn.key.weight", 1.269127905, 4942.362732, -5.00679016e-05F,
     -0.00922393799F},
    {"encoder.blocks.3.attn.value.weight", 3.629586756, 4784.040539, 0.0208892822F, 0.00220489502F},
    {"encoder.blocks.3.attn.query.bias", 15.45673954, 106.7661918, 0.0129623413F, -0.0931396484F},
    {"encoder.blocks.3.attn.value.bias", 1.546438515, 36.6771453, -0.072265625F, -0.144042969F},
    {"encoder.blocks.5.attn.out.weight", 4.72183001, 5489.961634, -0.00292015076F, -0.020614624F},
    {"encoder.blocks.0.mlp.0.weight", -178.6495585, 17602.55346, 0.0029335022F, -0.0231628418F},
    {"encoder.blocks.0.mlp.2.weight", 164.8067935, 16698.14106, -0.0147781372F, 0.00541687012F},
    {"encoder.blocks.2.mlp_ln.weight", 813.0919954, 813.2324277, 0.258789062F, 2.04492188F},
    {"encoder.ln_post.bias", -8.570121765, 193.4327774, -0.141845703F, -0.186279297F},
    {"decoder.token_embedding.weight", 517946.0273, 585490.5865, -0.00852966309F, 0.0161132812F},
    {"decoder.positional_embedding", -14.07024103, 1714.417307, 0.0048789978F, -0.00860595703F},
    {"decoder.blocks.4.cross_attn.value.weight", -12.41467434, 4651.056857, 0.00414276123F,
     0.00264167786F},
    {"decoder.blocks.4.cross_attn.key.weight", -7.262157202, 4963.307468, -0.0396728516F,
     -0.0249481201F},
    {"decoder.ln.weight", 4653.285156, 4661.621094, 8.015625F, 7.27734375F},
};

class RealModel : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = RunfilePath("../whisper_base/model.bin");
    if (!path_.empty()) return;
    ASSERT_EQ(std::getenv("XDNA_CI"), nullptr) << "@whisper_base//:model has no model.bin";
    GTEST_SKIP() << "no Whisper model here; @whisper_base//:model's ABSENT.txt says why";
  }
  std::string path_;
};

TEST_F(RealModel, IsWhisperBase) {
  const Model model = Model::Open(path_);
  EXPECT_EQ(model.geometry(), KnownGeometry("whisper-base"));
  EXPECT_EQ(model.format(), "ctranslate2 v6");
  EXPECT_EQ(model.tensors().size(), 245u);
  for (const TensorInfo& info : model.tensors()) {
    EXPECT_EQ(info.dtype, "f16") << info.name;
    EXPECT_EQ(model.Load(info.name).shape(), info.shape) << info.name;
  }
}

TEST_F(RealModel, HasTheNumbersThatNumpySees) {
  const Model model = Model::Open(path_);
  for (const Statistics& want : kStatistics) {
    const Tensor tensor = model.Load(want.name);
    const auto* values = tensor.data<float>();
    double sum = 0;
    double magnitudes = 0;
    for (std::int64_t i = 0; i < tensor.size(); ++i) {
      sum += values[i];
      magnitudes += std::abs(values[i]);
    }
    EXPECT_NEAR(sum, want.sum, 1e-8 * want.sum_of_magnitudes) << want.name;
    EXPECT_NEAR(magnitudes, want.sum_of_magnitudes, 1e-8 * magnitudes) << want.name;
    EXPECT_EQ(values[0], want.first) << want.name;
    EXPECT_EQ(values[tensor.size() - 1], want.last) << want.name;
  }
}

TEST_F(RealModel, PositionsAreTheSinusoids) {
  const Tensor stored = Model::Open(path_).Load("encoder.positional_embedding");
  const Tensor computed = Sinusoids(1500, 512);
  for (std::int64_t i = 0; i < stored.size(); ++i) {
    // Rounded to f16 below 1: half of 2^-11.
    ASSERT_NEAR(stored.data<float>()[i], computed.data<float>()[i], 0x1p-12 + 1e-6) << i;
  }
}

TEST_F(RealModel, CanonicalFileHasTheSameNumbers) {
  const Model model = Model::Open(path_);
  const std::string path = ::testing::TempDir() + "base.h5";
  WriteCanonical(model, path);
  const Model canonical = Model::Open(path);
  EXPECT_EQ(canonical.geometry(), model.geometry());
  EXPECT_EQ(canonical.origin_sha256(), model.sha256());
  for (const TensorInfo& info : model.tensors()) {
    const Tensor a = model.Load(info.name);
    const Tensor b = canonical.Load(info.name);
    std::int64_t different = 0;
    for (std::int64_t i = 0; i < a.size(); ++i) {
      different += a.data<float>()[i] != b.data<float>()[i] ? 1 : 0;
    }
    EXPECT_EQ(different, 0) << info.name;
  }
}

}  // namespace
}  // namespace xdna::encoder
