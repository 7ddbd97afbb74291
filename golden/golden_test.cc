// The golden files that this build made: complete, sound and, where exact, the same as everywhere.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "base/sha256.h"
#include "base/tensor.h"
#include "golden/store.h"

namespace xdna::golden {
namespace {

using Hashes = std::map<std::string, std::string>;

Store OpenOp(const std::string& op) {
  return Store::Open(RunfilePath("golden/" + op + ".h5"), "op");
}

nlohmann::json Manifest() {
  std::ifstream file(RunfilePath("golden/exact_manifest.json"));
  return nlohmann::json::parse(file);
}

std::set<std::string> OpsOf(const nlohmann::json& manifest) {
  std::set<std::string> ops;
  for (const auto& [key, value] : manifest.items()) ops.insert(key.substr(0, key.find('/')));
  return ops;
}

void AddHashes(const std::string& prefix, const TensorMap& tensors, Hashes& hashes) {
  for (const auto& [name, tensor] : tensors) {
    hashes[prefix + name] = Sha256(tensor.view().raw(), tensor.bytes());
  }
}

// Exact results don't depend on the machine, on numpy or on its BLAS. If an exact case was meant to
// change, renew the list: golden/generate.py manifest > golden/exact_manifest.json
TEST(Goldens, ExactCasesHaveTheirPinnedBits) {
  const nlohmann::json manifest = Manifest();
  Hashes found;
  for (const std::string& op : OpsOf(manifest)) {
    const Store store = OpenOp(op);
    EXPECT_EQ(store.attribute("op"), op);
    for (const std::string& name : store.CaseNames()) {
      const Case c = store.Load(name);
      if (c.data != "exact") continue;
      const std::string prefix = fmt::format("{}/{}/", op, name);
      AddHashes(prefix + "in/", c.in, found);
      AddHashes(prefix + "out/", c.out, found);
      AddHashes(prefix + "scale/", c.scale, found);
    }
  }
  EXPECT_EQ(found, manifest.get<Hashes>());
}

TEST(Goldens, EveryOpHasExactAndRandomAndRealCases) {
  for (const std::string& op : OpsOf(Manifest())) {
    const Store store = OpenOp(op);
    std::set<std::string> kinds;
    for (const std::string& name : store.CaseNames()) kinds.insert(store.Load(name).data);
    std::set<std::string> expected = {"exact", "random"};
    if (!store.attribute("model_sha256").empty()) expected.insert("real");
    EXPECT_EQ(kinds, expected) << op;
  }
}

std::set<std::string> TapNames(std::vector<std::string> stem, std::int64_t layers) {
  std::set<std::string> names(stem.begin(), stem.end());
  names.insert({"embedded", "ln_post"});
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    for (const char* part : {"attn_ln", "attn", "mlp_ln", "mlp", "out"}) {
      names.insert(fmt::format("layer{}.{}", layer, part));
    }
  }
  return names;
}

struct Encoder {
  const char* file;
  const char* geometry;
  std::vector<std::string> stem;
  Shape mel;
  Shape output;
};

class EncoderGolden : public testing::TestWithParam<Encoder> {};

TEST_P(EncoderGolden, HoldsEveryTap) {
  const Encoder& encoder = GetParam();
  const Store store =
      Store::Open(RunfilePath(fmt::format("golden/{}.h5", encoder.file)), "encoder");
  EXPECT_EQ(store.attribute("geometry"), encoder.geometry);
  if (store.CaseNames().empty()) {
    EXPECT_EQ(store.attribute("model_sha256"), "");
    GTEST_SKIP() << "the Whisper model was not to be had when the goldens were made";
  }
  const Case c = store.Load("window0");
  EXPECT_EQ(c.in.at("mel").shape(), encoder.mel);
  EXPECT_EQ(c.out.at("ln_post").shape(), encoder.output);
  std::set<std::string> found;
  for (const auto& [name, tensor] : c.out) found.insert(name);
  EXPECT_EQ(found, TapNames(encoder.stem, c.dims.at("layers")));
}

INSTANTIATE_TEST_SUITE_P(
    Geometries, EncoderGolden,
    testing::Values(
        Encoder{
            "encoder_whisper_base", "whisper-base", {"conv1", "conv2"}, {80, 3000}, {1500, 512}},
        Encoder{"encoder_seed_3001", "seed-3001", {"projection"}, {80, 3001}, {3001, 512}},
        Encoder{
            "encoder_tiny_synthetic", "tiny-synthetic", {"conv1", "conv2"}, {80, 128}, {64, 128}}),
    [](const auto& info) { return info.param.file; });

}  // namespace
}  // namespace xdna::golden
