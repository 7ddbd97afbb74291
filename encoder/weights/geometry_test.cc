#include "encoder/weights/geometry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "base/error.h"
#include "base/tensor.h"

namespace xdna::encoder {
namespace {

using ::testing::HasSubstr;

TEST(Geometry, EveryPublishedSizeHasItsOwnNameAndIsSane) {
  for (const std::string& name : KnownGeometryNames()) {
    Geometry geometry = KnownGeometry(name);
    EXPECT_NO_THROW(CheckGeometry(geometry, ErrorCode::kCorrupt)) << name;
    geometry.name.clear();
    EXPECT_EQ(GeometryName(geometry), name);
  }
}

TEST(Geometry, AnyOtherDimensionMakesItCustom) {
  Geometry geometry = KnownGeometry("whisper-base");
  geometry.n_audio_ctx = 1499;
  EXPECT_EQ(GeometryName(geometry), "custom-d512-l6");
}

TEST(Geometry, UnknownNameListsTheKnownOnes) {
  try {
    KnownGeometry("whisper-bsae");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.message(), HasSubstr("'whisper-bsae'"));
    EXPECT_THAT(error.message(), HasSubstr("whisper-base.en"));
  }
}

// Parameter counts as published (model-card.md; the count leaves out the fixed sinusoids).
TEST(Geometry, TensorsAddUpToThePublishedParameterCounts) {
  const auto parameters = [](const char* name) {
    std::int64_t sum = 0;
    for (const TensorSpec& spec : ExpectedTensors(KnownGeometry(name))) {
      if (spec.name != "encoder.positional_embedding") sum += NumElements(spec.shape);
    }
    return sum;
  };
  EXPECT_EQ(parameters("whisper-tiny"), 37184640);
  EXPECT_EQ(parameters("whisper-base"), 71825920);
  EXPECT_NEAR(static_cast<double>(parameters("whisper-small")), 244e6, 5e6);
  EXPECT_NEAR(static_cast<double>(parameters("whisper-medium")), 769e6, 8e6);
  EXPECT_NEAR(static_cast<double>(parameters("whisper-large-v3")), 1550e6, 10e6);
  EXPECT_NEAR(static_cast<double>(parameters("whisper-large-v3-turbo")), 809e6, 3e6);
  EXPECT_NEAR(static_cast<double>(parameters("distil-large-v3")), 756e6, 3e6);
}

TEST(Geometry, TensorNamesAreUniqueAndTheOnesOfOpenAi) {
  std::set<std::string> names;
  for (const TensorSpec& spec : ExpectedTensors(KnownGeometry("whisper-base"))) {
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
  }
  EXPECT_EQ(names.size(), 245u);  // entries of openai-whisper's state_dict for base
  for (const char* name :
       {"encoder.conv1.weight", "encoder.positional_embedding", "encoder.blocks.5.attn.key.weight",
        "encoder.blocks.0.mlp.2.bias", "encoder.ln_post.bias", "decoder.token_embedding.weight",
        "decoder.blocks.3.cross_attn_ln.weight", "decoder.blocks.3.cross_attn.out.bias",
        "decoder.ln.weight"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
  EXPECT_FALSE(names.contains("encoder.blocks.0.attn.key.bias"));
  EXPECT_FALSE(names.contains("encoder.blocks.0.cross_attn.query.weight"));
}

struct Absurd {
  std::int64_t Geometry::*field;
  std::int64_t value;
  const char* message;
};

TEST(Geometry, AbsurdDimensionsAreNamed) {
  const Absurd kCases[] = {
      {&Geometry::n_mels, 0, "n_mels is 0; expected 1 to 1280"},
      {&Geometry::n_mels, 1281, "n_mels is 1281"},
      {&Geometry::n_audio_ctx, -5, "n_audio_ctx is -5"},
      {&Geometry::n_audio_ctx, 15001, "n_audio_ctx is 15001"},
      {&Geometry::d_model, 1LL << 40, "d_model is 1099511627776"},
      {&Geometry::d_model, 500, "d_model is 500; expected a multiple of 64"},
      {&Geometry::n_heads, 7, "7 attention heads for d_model 512; expected 8 of width 64"},
      {&Geometry::n_decoder_heads, 0, "0 attention heads"},
      {&Geometry::n_layers, 321, "n_layers is 321"},
      {&Geometry::n_decoder_layers, 0, "n_decoder_layers is 0"},
      {&Geometry::n_text_ctx, 4481, "n_text_ctx is 4481"},
      {&Geometry::n_vocab, INT64_MAX, "n_vocab is 9223372036854775807"},
  };
  for (const Absurd& absurd : kCases) {
    Geometry geometry = KnownGeometry("whisper-base");
    geometry.*absurd.field = absurd.value;
    try {
      CheckGeometry(geometry, ErrorCode::kCorrupt);
      ADD_FAILURE() << "passed: " << absurd.message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
      EXPECT_THAT(error.message(), HasSubstr(absurd.message));
    }
  }
}

}  // namespace
}  // namespace xdna::encoder
