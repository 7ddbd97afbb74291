#include "golden/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "base/tensor.h"
#include "golden/hdf5_file.h"

// The library forgets some of its memory where a file turns out to be damaged.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }  // NOLINT

namespace xdna::golden {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kX[] = "/cases/c/in/x";
constexpr char kScale[] = "/cases/c/scale/y";

std::string TempPath(const std::string& name) { return testing::TempDir() + "/store_" + name; }

// A golden in the making; tests spoil parts of it before it is written.
struct Draft {
  std::string kind = "op";
  int schema_version = kSchemaVersion;
  int generator_version = kGeneratorVersion;
  std::string data = "exact";
  std::string dims = R"({"m": 2, "k": 3})";
  Tensor x = Tensor::FromValues<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  Tensor y = Tensor::FromValues<float>({2, 4}, {8, 7, 6, 5, 4, 3, 2, 1});
  Tensor scale = Tensor::FromValues<float>({2, 4}, {8, 7, 6, 5, 4, 3, 2, 1});
  std::string x_symbolic = "m,k";
  bool hash = true;
  bool symbols = true;
};

void WriteDataset(Hdf5File& file, const std::string& path, const Tensor& tensor,
                  const std::string& symbolic, const Draft& draft) {
  if (tensor.empty()) return;
  file.Write(path, tensor);
  if (draft.symbols) file.SetAttribute(path, "symbolic", symbolic);
  if (draft.hash) {
    file.SetAttribute(path, "sha256", Sha256(tensor.view().raw(), tensor.bytes()));
  }
}

std::string Written(const Draft& draft, const std::string& name) {
  const std::string path = TempPath(name);
  auto file = Hdf5File::Create(path);
  file.SetAttribute("/", "schema_version", draft.schema_version);
  file.SetAttribute("/", "generator_version", draft.generator_version);
  file.SetAttribute("/", "kind", draft.kind);
  file.SetAttribute("/", "op", "linear");
  WriteDataset(file, kX, draft.x, draft.x_symbolic, draft);
  WriteDataset(file, "/cases/c/out/y", draft.y, "m,4", draft);
  WriteDataset(file, kScale, draft.scale, "m,4", draft);
  file.SetAttribute("/cases/c", "data", draft.data);
  file.SetAttribute("/cases/c", "dims", draft.dims);
  file.Close();
  return path;
}

// Loads the case of a draft spoiled by `spoil`; the error must hold all of `parts`.
void ExpectError(const char* test, ErrorCode code, const std::vector<std::string>& parts,
                 const std::function<void(Draft&)>& spoil) {
  Draft draft;
  spoil(draft);
  const std::string path = Written(draft, std::string(test) + ".h5");
  try {
    Store::Open(path, "op").Load("c");
    ADD_FAILURE() << test << ": accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.message();
    EXPECT_THAT(error.message(), HasSubstr(path));
    for (const std::string& part : parts) EXPECT_THAT(error.message(), HasSubstr(part));
  }
}

TEST(Store, LoadsASoundGolden) {
  const Store store = Store::Open(Written({}, "sound.h5"), "op");
  EXPECT_EQ(store.attribute("op"), "linear");
  EXPECT_THAT(store.CaseNames(), ElementsAre("c"));
  EXPECT_THAT(store.Datasets("c", "in"), ElementsAre("x"));
  EXPECT_TRUE(store.Datasets("c", "other").empty());
  const Case c = store.Load("c");
  EXPECT_EQ(c.name, "c");
  EXPECT_EQ(c.data, "exact");
  EXPECT_EQ(c.dims, (Dims{{"m", 2}, {"k", 3}}));
  EXPECT_EQ(c.in.at("x").shape(), (Shape{2, 3}));
  EXPECT_EQ(c.out.at("y").data<float>()[7], 1);
  EXPECT_EQ(c.scale.size(), 1U);
  EXPECT_EQ(store.Read("c", "out/y").data<float>()[0], 8);
}

TEST(Store, AnEncoderGoldenNeedsNoScale) {
  Draft draft;
  draft.kind = "encoder";
  draft.scale = {};
  EXPECT_TRUE(Store::Open(Written(draft, "encoder.h5"), "encoder").Load("c").scale.empty());
}

TEST(Store, OutdatedOrForeignFilesAreErrors) {
  const auto unsupported = ErrorCode::kUnsupported;
  ExpectError("old_generator", unsupported, {"generator_version is 0", "rebuild"},
              [](Draft& d) { d.generator_version = 0; });
  ExpectError("new_generator", unsupported, {"generator_version"},
              [](Draft& d) { d.generator_version = kGeneratorVersion + 1; });
  ExpectError("old_schema", unsupported, {"schema_version"},
              [](Draft& d) { d.schema_version = 0; });
  ExpectError("wrong_kind", ErrorCode::kCorrupt, {"'encoder'", "'op'"},
              [](Draft& d) { d.kind = "encoder"; });
}

TEST(Store, WhatDoesNotFitIsAnError) {
  const auto corrupt = ErrorCode::kCorrupt;
  ExpectError("data", corrupt, {"'likely'"}, [](Draft& d) { d.data = "likely"; });
  ExpectError("dims_text", corrupt, {"JSON"}, [](Draft& d) { d.dims = "m=2"; });
  ExpectError("dims_list", corrupt, {"JSON"}, [](Draft& d) { d.dims = "[2, 3]"; });
  ExpectError("dims_real", corrupt, {"dim m"}, [](Draft& d) { d.dims = R"({"m": 2.5, "k": 3})"; });
  ExpectError("dims_negative", corrupt, {"dim m"}, [](Draft& d) { d.dims = R"({"m":-2,"k":3})"; });
  ExpectError("dims_huge", corrupt, {"dim m"}, [](Draft& d) { d.dims = R"({"m":1e30,"k":3})"; });
  ExpectError("dims_other", corrupt, {kX, "[2,3]", "[2,4]"},
              [](Draft& d) { d.dims = R"({"m": 2, "k": 4})"; });
  ExpectError("no_symbol", corrupt, {kX, "'q'"}, [](Draft& d) { d.x_symbolic = "m,q"; });
  ExpectError("empty_symbol", corrupt, {kX, "''"}, [](Draft& d) { d.x_symbolic = "m,,k"; });
  ExpectError("rank", corrupt, {kX}, [](Draft& d) { d.x_symbolic = "m"; });
  ExpectError("no_symbols", corrupt, {kX, "'symbolic'"}, [](Draft& d) { d.symbols = false; });
  ExpectError("no_hash", corrupt, {kX, "'sha256'"}, [](Draft& d) { d.hash = false; });
  ExpectError("dtype", corrupt, {kX, "f64"}, [](Draft& d) { d.x = d.x.To(DType::kF64); });
}

TEST(Store, MissingOrSenselessTensorsAreErrors) {
  const auto corrupt = ErrorCode::kCorrupt;
  ExpectError("no_input", corrupt, {"no inputs"}, [](Draft& d) { d.x = {}; });
  ExpectError("no_result", corrupt, {"no results"}, [](Draft& d) { d.y = {}; });
  ExpectError("no_scale", corrupt, {"scale/y is missing"}, [](Draft& d) { d.scale = {}; });
  ExpectError("negative_scale", corrupt, {kScale, "element 2"},
              [](Draft& d) { d.scale.data<float>()[2] = -1; });
  ExpectError("nan", corrupt, {kX, "element 4", "nan"},
              [](Draft& d) { d.x.data<float>()[4] = std::numeric_limits<float>::quiet_NaN(); });
  ExpectError("inf", corrupt, {"out/y", "element 0", "inf"},
              [](Draft& d) { d.y.data<float>()[0] = std::numeric_limits<float>::infinity(); });
}

TEST(Store, AnUnknownCaseIsNotFound) {
  const Store store = Store::Open(Written({}, "unknown.h5"), "op");
  for (const char* name : {"d", "", "c/in"}) {
    EXPECT_THROW(store.Load(name), Error) << name;
  }
  EXPECT_THROW(store.Read("c", "in/w"), Error);
}

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Spill(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

TEST(Store, EveryFlippedBitOfTheDataIsSeen) {
  const std::string sound = Slurp(Written({}, "flip.h5"));
  const Tensor x = Draft().x.Clone();
  const std::string bytes(static_cast<const char*>(x.view().raw()), x.bytes());
  const std::size_t at = sound.find(bytes);
  ASSERT_NE(at, std::string::npos);
  const std::string path = TempPath("flipped.h5");
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string damaged = sound;
    damaged[at + bit / 8] = static_cast<char>(damaged[at + bit / 8] ^ (1 << (bit % 8)));
    Spill(path, damaged);
    EXPECT_THROW(Store::Open(path, "op").Load("c"), Error) << "bit " << bit;
  }
}

// A damaged file is an error or, where nothing of the golden lies, the very same golden.
TEST(Store, NoDamagePassesForAGolden) {
  const std::string sound = Slurp(Written({}, "damage.h5"));
  const std::string want = Sha256(Draft().y.view().raw(), Draft().y.bytes());
  const std::string path = TempPath("damaged.h5");
  for (std::size_t i = 0; i < sound.size(); i += 5) {
    std::string damaged = sound;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    Spill(path, damaged);
    try {
      const Case c = Store::Open(path, "op").Load("c");
      EXPECT_EQ(Sha256(c.out.at("y").view().raw(), c.out.at("y").bytes()), want);
      EXPECT_EQ(c.data, "exact");
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr(path));
    }
  }
  for (std::size_t size = 0; size < sound.size(); size += 37) {
    Spill(path, sound.substr(0, size));
    EXPECT_THROW(Store::Open(path, "op").Load("c"), Error) << size;
  }
}

}  // namespace
}  // namespace xdna::golden
