// Manifests, and xclbins run by them on the simulated NPU.
#include "xrt/detail/xclbin.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/bf16.h"
#include "base/error.h"
#include "base/program.h"
#include "base/tensor.h"
#include "bench/run_record.h"
#include "bench/xclbin_manifest.h"
#include "bench/xclbin_runner.h"
#include "device/container/axlf.h"
#include "device/container/container.h"
#include "device/measure.h"
#include "golden/hdf5_file.h"

namespace xdna::bench {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr std::int64_t kSize = 64;

std::string Folder() { return ::testing::TempDir(); }
std::string InFolder(const std::string& name) { return (fs::path(Folder()) / name).string(); }

void WriteFile(const std::string& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

template <typename Body>
std::string MessageOf(Body&& body, ErrorCode code = ErrorCode::kCorrupt) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "(nothing was thrown)";
}

// C = A B of the example overlay, with A random, B from a raw file and C expected from HDF5.
Json GemmManifest() {
  const Json matrix = {{"shape", {kSize, kSize}}, {"dtype", "bf16"}};
  Json a = matrix, b = matrix, c = matrix;
  a.update({{"name", "a"}, {"role", "in"}, {"data", {{"random", 7}}}});
  b.update({{"name", "b"}, {"role", "in"}, {"data", {{"file", "b.raw"}}}});
  c.update({{"name", "c"},
            {"role", "out"},
            {"expected", {{"hdf5", "c.h5"}, {"dataset", "/c"}}},
            {"tolerance",
             {{"absolute", 0.02},
              {"relative", 0.01},
              {"rel_l2", 0.005},
              {"provenance", "C is rounded to bf16's 8 bits"}}}});
  return {{"version", 1},
          {"name", "gemm"},
          {"xclbin", RunfilePath("tools/overlay/gemm.xclbin")},
          {"instructions", RunfilePath("tools/overlay/gemm.insts.bin")},
          {"kernel", "MLIR_AIE"},
          {"arguments", {a, b, c}},
          {"iterations", 4},
          {"warm_up", 1},
          {"reuse", "context"},
          {"flops", 2 * kSize * kSize * kSize}};
}

Manifest Parse(const Json& json) { return ParseManifest(json.dump(), Folder()); }

class XclbinTest : public ::testing::Test {
 protected:
  XclbinTest() {
    device::ConfigureDevice({.threads = 1});
    const Tensor a =
        LoadData({.kind = DataSource::Kind::kRandom, .seed = 7}, {kSize, kSize}, DType::kBf16);
    const Tensor b =
        LoadData({.kind = DataSource::Kind::kRandom, .seed = 8}, {kSize, kSize}, DType::kBf16);
    const char* raw = static_cast<const char*>(b.view().raw());
    WriteFile(InFolder("b.raw"), {raw, raw + b.bytes()});
    Tensor c(DType::kF32, {kSize, kSize});
    for (std::int64_t i = 0; i < kSize; ++i) {
      for (std::int64_t j = 0; j < kSize; ++j) {
        double sum = 0;
        for (std::int64_t k = 0; k < kSize; ++k) {
          sum += static_cast<double>(a.data<Bf16>()[i * kSize + k].ToFloat()) *
                 b.data<Bf16>()[k * kSize + j].ToFloat();
        }
        c.data<float>()[i * kSize + j] = static_cast<float>(sum);
      }
    }
    WriteExpected(c);
  }
  ~XclbinTest() override { EXPECT_TRUE(device::Violations().empty()); }

  static void WriteExpected(const Tensor& c) {
    Hdf5File file = Hdf5File::Create(InFolder("c.h5"));
    file.Write("/c", c);
    file.Close();
  }
};

TEST_F(XclbinTest, VerifiesAndTimes) {
  const Manifest manifest = Parse(GemmManifest());
  const XclbinResult result = RunXclbin(manifest);
  ASSERT_EQ(result.checks.size(), 2U);
  for (const XclbinCheck& check : result.checks) EXPECT_TRUE(check.verdict.passed());
  EXPECT_EQ(result.checks[1].when, "after timing");
  EXPECT_EQ(result.samples_s.size(), 4U);

  Environment environment;
  environment.threads = 1;
  const RunRecord record = XclbinRecord(manifest, result, {.threads = 1}, environment);
  EXPECT_EQ(record.provenance(), Provenance::kModelled);
  EXPECT_EQ(record.series().shape, "a=64x64,b=64x64,c=64x64");
  EXPECT_GT(record.metrics().at("flops_per_s"), 0);
  EXPECT_FALSE(record.model->constants.empty());
  EXPECT_FALSE(record.ToJsonLine().empty());
}

TEST_F(XclbinTest, EachReuseIsCheaperThanTheOneBefore) {
  double before = 1;
  for (const char* reuse : {"fresh", "bo", "context", "runlist:8"}) {
    Json json = GemmManifest();
    json["reuse"] = reuse;
    const XclbinResult result = RunXclbin(Parse(json));
    ASSERT_EQ(result.samples_s.size(), 4U) << reuse;
    EXPECT_LT(result.samples_s.back(), before) << reuse;
    before = result.samples_s.back();
  }
}

TEST_F(XclbinTest, TakesTheContainersOwnInstructions) {
  Json json = GemmManifest();
  json.erase("instructions");
  EXPECT_EQ(RunXclbin(Parse(json)).samples_s.size(), 4U);
}

TEST_F(XclbinTest, NoTimesOfAWrongResult) {
  Tensor zeros(DType::kF32, {kSize, kSize});
  for (std::int64_t i = 0; i < zeros.size(); ++i) zeros.data<float>()[i] = static_cast<float>(i);
  WriteExpected(zeros);
  const Manifest manifest = Parse(GemmManifest());
  const XclbinResult result = RunXclbin(manifest);
  EXPECT_EQ(result.decisive().verdict.status, golden::Status::kFailed);
  EXPECT_TRUE(result.samples_s.empty());
  const RunRecord record = XclbinRecord(manifest, result, {}, {});
  EXPECT_FALSE(record.verdict().passed());
  EXPECT_TRUE(record.samples_s().empty());
}

// A run that goes wrong while timing ends in an error or a failed check, never as a time.
TEST_F(XclbinTest, FaultsWhileTimingAreTold) {
  Json json = GemmManifest();
  json["iterations"] = 60;
  const Manifest manifest = Parse(json);
  for (const char* kind : {"timeout", "partial", "stale", "bitflip", "context_lost", "hang"}) {
    device::ConfigureDevice(
        {.faults = fmt::format("{}:0.05", kind), .fault_seed = 3, .threads = 1});
    bool told = false;
    try {
      const XclbinResult result = RunXclbin(manifest);
      told = result.samples_s.empty() && !result.decisive().verdict.passed();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
      told = true;
    }
    EXPECT_TRUE(told) << kind;
    EXPECT_EQ(device::InjectedFaults().size(), 1U) << kind;
  }
}

TEST_F(XclbinTest, BinaryForHardwareCantRunHere) {
  std::ifstream in(RunfilePath("tools/overlay/gemm.xclbin"), std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  device::XclbinFile file = device::ParseXclbin(bytes);
  std::erase_if(file.sections, [](const auto& s) { return s.kind == USER_METADATA; });
  file.sections.push_back({PDI, "pdi", {1, 2, 3, 4}});
  WriteFile(InFolder("hardware.xclbin"), device::EncodeXclbin(file));
  Json json = GemmManifest();
  json["xclbin"] = "hardware.xclbin";
  const std::string told = MessageOf([&] { RunXclbin(Parse(json)); }, ErrorCode::kUnsupported);
  EXPECT_THAT(told, HasSubstr("hardware.xclbin: a binary for hardware"));
  EXPECT_THAT(told, HasSubstr("--config=xrt"));
}

TEST_F(XclbinTest, WhatXclbinAndManifestDisagreeOn) {
  const auto message = [](const char* at, const Json& value,
                          ErrorCode code = ErrorCode::kInvalidArgument) {
    Json json = GemmManifest();
    json[Json::json_pointer(at)] = value;
    return MessageOf([&] { RunXclbin(Parse(json)); }, code);
  };
  EXPECT_THAT(message("/kernel", "MLIR_AIF"), HasSubstr("did you mean 'MLIR_AIE'?"));
  EXPECT_THAT(message("/xclbin", "none.xclbin", ErrorCode::kNotFound), HasSubstr("no such file"));
  EXPECT_THAT(message("/xclbin", "b.raw", ErrorCode::kCorrupt), HasSubstr("xclbin2"));
  EXPECT_THAT(message("/instructions", "none", ErrorCode::kNotFound), HasSubstr("none: no such"));
  EXPECT_THAT(message("/arguments/1/data", {{"file", "c.h5"}}, ErrorCode::kCorrupt),
              HasSubstr("arguments[1].data: "));
  EXPECT_THAT(message("/arguments/2/shape", {kSize}, ErrorCode::kCorrupt),
              HasSubstr("arguments[2].expected: "));
  Json json = GemmManifest();
  for (int i = 0; i < 3; ++i) json["arguments"].push_back(nullptr);
  EXPECT_THAT(MessageOf([&] { RunXclbin(Parse(json)); }, ErrorCode::kInvalidArgument),
              HasSubstr("arguments: 6, and kernel MLIR_AIE of"));
}

TEST_F(XclbinTest, KernelThatNoSessionOpens) {
  std::ifstream in(RunfilePath("tools/overlay/gemm.xclbin"), std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  device::XclbinFile file = device::ParseXclbin(bytes);
  const auto metadata = std::ranges::find(file.sections, std::uint32_t{EMBEDDED_METADATA},
                                          &device::XclbinSection::kind);
  device::XclbinKernel other = device::NpuKernel();
  other.name = "other";
  const std::string xml =
      device::EncodeMetadata(std::vector<device::XclbinKernel>{device::NpuKernel(), other});
  metadata->data.assign(xml.begin(), xml.end());
  WriteFile(InFolder("two.xclbin"), device::EncodeXclbin(file));
  Json json = GemmManifest();
  json["xclbin"] = "two.xclbin";
  json["kernel"] = "other";
  EXPECT_THAT(MessageOf([&] { RunXclbin(Parse(json)); }, ErrorCode::kUnsupported),
              HasSubstr("kernel: 'other' is not the first 'MLIR_AIE*' in"));
  metadata->data.clear();
  WriteFile(InFolder("two.xclbin"), device::EncodeXclbin(file));
  EXPECT_THAT(MessageOf([&] { RunXclbin(Parse(json)); }, ErrorCode::kInvalidArgument),
              HasSubstr("kernel: 'other' is not in"));
}

// A change at a place of the manifest, and the message that must name it.
TEST(ManifestTest, NamesTheFieldThatIsWrong) {
  struct Case {
    const char* at;
    Json value;
    const char* message;
  };
  const std::vector<Case> cases = {
      {"/version", 2, "version: '2' is not an integer from 1 to 1"},
      {"/name", "a/b", "name: 'a/b' is not printable text without '/'"},
      {"/name", "", "name: empty"},
      {"/xclbin", 5, "xclbin: '5' is not a string"},
      {"/kernal", "x", "'kernal': no such field; did you mean 'kernel'?"},
      {"/reuse", "runlist:0", "reuse: reuse 'runlist:0': not one of fresh"},
      {"/reuse", 1, "reuse: '1' is not a string"},
      {"/iterations", 0, "iterations: '0' is not an integer from 1"},
      {"/warm_up", -1, "warm_up: '-1' is not"},
      {"/flops", 0, "flops: 0 is less than 1"},
      {"/arguments", Json::array(), "arguments: '[]' is not a list of 1 to 32"},
      {"/arguments", {nullptr}, "arguments: none has the role out or inout"},
      {"/arguments/0", 3, "arguments[0]: '3' is not an object"},
      {"/arguments/0/role", "input", "arguments[0].role: 'input';"},
      {"/arguments/0/role", "out", "arguments[0].expected: missing"},
      {"/arguments/2/role", "in", "arguments[2].data: missing"},
      {"/arguments/2/data", {{"random", 1}}, "arguments[2].'data': no such field"},
      {"/arguments/0/name", "c", "arguments[2].name: 'c' is there twice"},
      {"/arguments/0/dtype", "f16", "arguments[0].dtype: 'f16';"},
      {"/arguments/0/shape", Json::array(), "arguments[0].shape: '[]' is not a list"},
      {"/arguments/0/shape/0", 0, "arguments[0].shape: '0' is not a size from 1"},
      {"/arguments/0/shape/0", -4, "arguments[0].shape: '-4' is not a size"},
      {"/arguments/0/shape", {1 << 20, 1 << 20}, "has more than 1073741824 elements"},
      {"/arguments/0/data", {{"zeros", 1}}, "has none of random, constant, file, hdf5"},
      {"/arguments/0/data/random", -1, "arguments[0].data.random: '-1' is not an integer"},
      {"/arguments/0/data/scale", 2, "arguments[0].data.'scale': no such field"},
      {"/arguments/2/expected", {{"constant", 1}}, "has none of file, hdf5"},
      {"/arguments/2/expected", {{"hdf5", "c.h5"}}, "arguments[2].expected.dataset: missing"},
      {"/arguments/2/tolerance", {{"rel_l2", 1}}, "tolerance: neither absolute nor relative"},
      {"/arguments/2/tolerance/absolute", -1, "tolerance.absolute: -1 is less than 0"},
      {"/arguments/2/tolerance/provenance", "", "tolerance.provenance: empty"},
  };
  for (const Case& one : cases) {
    Json json = GemmManifest();
    json[Json::json_pointer(one.at)] = one.value;
    EXPECT_THAT(MessageOf([&] { Parse(json); }), HasSubstr(one.message)) << one.at;
  }
  EXPECT_THAT(MessageOf([] { ParseManifest("{", ""); }), HasSubstr("not JSON"));
  EXPECT_THAT(MessageOf([] { ParseManifest("[]", ""); }), HasSubstr("is not an object"));
  EXPECT_THAT(MessageOf([] { ParseManifest(R"({"version":1,"version":1})", ""); }),
              HasSubstr("there twice"));
  EXPECT_THAT(MessageOf([] { ReadManifest("/none/x.json"); }, ErrorCode::kNotFound),
              HasSubstr("/none/x.json: no such file"));
  EXPECT_THAT(MessageOf([] { ReadManifest(Folder()); }, ErrorCode::kNotFound),
              HasSubstr("no such file"));
}

TEST(LoadDataTest, EachSourceAndDType) {
  using Kind = DataSource::Kind;
  for (const DType dtype : {DType::kF32, DType::kBf16, DType::kI8, DType::kU8, DType::kI32}) {
    const Tensor constant = LoadData({.kind = Kind::kConstant, .constant = 3}, {2, 2}, dtype);
    EXPECT_EQ(constant.To(DType::kF64).data<double>()[3], 3);
    const Tensor random = LoadData({.kind = Kind::kRandom, .seed = 1}, {100}, dtype);
    const Tensor again = LoadData({.kind = Kind::kRandom, .seed = 1}, {100}, dtype);
    EXPECT_EQ(std::memcmp(random.view().raw(), again.view().raw(), random.bytes()), 0);
  }
  EXPECT_THAT(
      MessageOf([] { LoadData({.kind = Kind::kConstant, .constant = 300}, {1}, DType::kU8); }),
      HasSubstr("element 0 is 300, which u8 can't hold"));
  EXPECT_THAT(
      MessageOf([] { LoadData({.kind = Kind::kConstant, .constant = 0.5}, {1}, DType::kI32); }),
      HasSubstr("element 0 is 0.5"));

  Hdf5File file = Hdf5File::Create(InFolder("data.h5"));
  file.Write("/x", Tensor::FromValues<float>({3}, {1, -2, 3.5F}));
  file.Close();
  const DataSource x{.kind = Kind::kHdf5, .path = InFolder("data.h5"), .dataset = "/x"};
  EXPECT_EQ(LoadData(x, {3}, DType::kBf16).data<Bf16>()[2].ToFloat(), 3.5F);
  EXPECT_THAT(MessageOf([&] { LoadData(x, {3}, DType::kI8); }),
              HasSubstr("data.h5: /x: element 2 is 3.5, which i8 can't hold"));
  EXPECT_THAT(MessageOf([&] { LoadData(x, {4}, DType::kF32); }),
              HasSubstr("shape [3], the manifest says [4]"));
  WriteFile(InFolder("short.raw"), {1, 2, 3});
  EXPECT_THAT(MessageOf([] {
                LoadData({.kind = Kind::kFile, .path = InFolder("short.raw")}, {2}, DType::kF32);
              }),
              HasSubstr("short.raw: 3 bytes, [2] of f32 take 8"));
}

}  // namespace
}  // namespace xdna::bench
