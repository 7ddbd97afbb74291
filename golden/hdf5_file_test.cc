#include "golden/hdf5_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"

// The library forgets some of its memory where a file turns out to be damaged.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }  // NOLINT

namespace xdna {
namespace {

namespace fs = std::filesystem;

std::string TempPath(const std::string& name) { return testing::TempDir() + "/hdf5_" + name; }

// Runs `body` and returns its error's code; the message must hold every one of `parts`.
template <typename Body>
ErrorCode CodeOf(Body&& body, const std::vector<std::string>& parts = {}) {
  try {
    body();
  } catch (const Error& error) {
    for (const std::string& part : parts) {
      EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
    }
    EXPECT_EQ(error.message().find('\n'), std::string::npos);
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kInternal;
}

Tensor Filled(DType dtype, const Shape& shape) {
  Tensor tensor(dtype, shape);
  auto* bytes = static_cast<unsigned char*>(tensor.view().raw());
  for (std::size_t i = 0; i < tensor.bytes(); ++i) bytes[i] = static_cast<unsigned char>(7 * i + 1);
  return tensor;
}

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Spill(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// What HDF5 itself, h5py or another tool may write: made with the C API.
class Foreign {
 public:
  explicit Foreign(const std::string& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~Foreign() { H5Fclose(file_); }
  hid_t file() const { return file_; }

  void Dataset(const char* name, hid_t type, const std::vector<hsize_t>& dims, const void* data,
               hid_t plan = H5P_DEFAULT) const {
    const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
    const hid_t dataset = H5Dcreate2(file_, name, type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    if (data != nullptr) H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    H5Sclose(space);
    H5Dclose(dataset);
  }
  void Attribute(const char* name, hid_t type, const std::vector<hsize_t>& dims,
                 const void* data) const {
    const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
    const hid_t attribute = H5Acreate2(file_, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, data);
    H5Aclose(attribute);
    H5Sclose(space);
  }

 private:
  hid_t file_;
};

class RoundTrip : public testing::TestWithParam<DType> {};

TEST_P(RoundTrip, KeepsDTypeShapeAndBits) {
  const std::string path = TempPath(fmt::format("round_trip_{}.h5", DTypeName(GetParam())));
  const Shape shapes[] = {{}, {1}, {3, 5}, {2, 0, 4}, {2, 3, 4, 5}};
  auto out = Hdf5File::Create(path);
  for (std::size_t i = 0; i < std::size(shapes); ++i) {
    out.Write(fmt::format("/deep/group/d{}", i), Filled(GetParam(), shapes[i]));
  }
  out.Close();
  const auto in = Hdf5File::Open(path);
  for (std::size_t i = 0; i < std::size(shapes); ++i) {
    const std::string name = fmt::format("deep/group/d{}", i);
    const Tensor want = Filled(GetParam(), shapes[i]);
    EXPECT_EQ(in.ShapeOf(name), shapes[i]);
    EXPECT_EQ(in.DTypeOf(name), GetParam());
    const Tensor got = in.Read(name);
    EXPECT_EQ(got.dtype(), GetParam());
    ASSERT_EQ(got.shape(), shapes[i]);
    EXPECT_EQ(std::memcmp(got.view().raw(), want.view().raw(), want.bytes()), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(AllDTypes, RoundTrip,
                         testing::Values(DType::kF32, DType::kF64, DType::kF16, DType::kBf16,
                                         DType::kI8, DType::kU8, DType::kI32, DType::kI64),
                         [](const auto& info) { return DTypeName(info.param); });

TEST(Hdf5File, StridedViewsAreWrittenInRowMajorOrder) {
  const std::string path = TempPath("strided.h5");
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  auto out = Hdf5File::Create(path);
  out.Write("x", TensorView(values.data(), DType::kF32, {3, 2}, {1, 3}));
  out.Close();
  const Tensor x = Hdf5File::Open(path).Read("x");
  const float want[] = {1, 4, 2, 5, 3, 6};
  EXPECT_EQ(std::memcmp(x.data<float>(), want, sizeof want), 0);
}

TEST(Hdf5File, AttributesOfFileGroupAndDataset) {
  const std::string path = TempPath("attributes.h5");
  auto out = Hdf5File::Create(path);
  out.Write("g/x", Filled(DType::kF32, {2}));
  for (const char* object : {"/", "g", "/g/x"}) {
    out.SetAttribute(object, "text", "draft");
    out.SetAttribute(object, "text", "na\u00efve");  // replaces
    out.SetAttribute(object, "empty", "");
    out.SetAttribute(object, "count", 7);
    out.SetAttribute(object, "big", std::int64_t{1} << 60);
    out.SetAttribute(object, "ratio", 0.1);
  }
  out.Close();
  const auto in = Hdf5File::Open(path);
  for (const char* object : {"/", "g", "/g/x"}) {
    EXPECT_TRUE(in.HasAttribute(object, "text"));
    EXPECT_FALSE(in.HasAttribute(object, "other"));
    EXPECT_EQ(in.StringAttribute(object, "text"), "na\u00efve");
    EXPECT_EQ(in.StringAttribute(object, "empty"), "");
    EXPECT_EQ(in.IntAttribute(object, "count"), 7);
    EXPECT_EQ(in.IntAttribute(object, "big"), std::int64_t{1} << 60);
    EXPECT_EQ(in.DoubleAttribute(object, "ratio"), 0.1);
  }
}

TEST(Hdf5File, WrongOrMissingAttributesNameThemselves) {
  const std::string path = TempPath("bad_attributes.h5");
  {
    const Foreign file(path);
    const std::int32_t pair[] = {1, 2};
    const std::int32_t one = 41;
    file.Attribute("pair", H5T_NATIVE_INT32, {2}, pair);
    file.Attribute("one", H5T_NATIVE_INT32, {1}, &one);
  }
  const auto in = Hdf5File::Open(path);
  EXPECT_EQ(in.IntAttribute("/", "one"), 41);
  const auto corrupt = ErrorCode::kCorrupt;
  EXPECT_EQ(CodeOf([&] { in.StringAttribute("/", "one"); }, {path, "'one'", "string"}), corrupt);
  EXPECT_EQ(CodeOf([&] { in.DoubleAttribute("/", "one"); }, {"'one'", "float"}), corrupt);
  EXPECT_EQ(CodeOf([&] { in.IntAttribute("/", "pair"); }, {"'pair'", "2 of 32-bit"}), corrupt);
  EXPECT_EQ(CodeOf([&] { in.IntAttribute("/", "none"); }, {"'none' is missing"}), corrupt);
  EXPECT_EQ(CodeOf([&] { in.IntAttribute("/none", "one"); }, {"/none: not in the file"}), corrupt);
}

TEST(Hdf5File, ReadsFixedLengthStrings) {
  const std::string path = TempPath("fixed_strings.h5");
  {
    const Foreign file(path);
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 8);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    file.Attribute("padded", type, {1}, "abc\0\0\0\0\0");
    file.Attribute("full", type, {1}, "12345678");
    H5Tset_strpad(type, H5T_STR_SPACEPAD);
    file.Attribute("blank", type, {1}, "ab c    ");
    H5Tclose(type);
  }
  const auto in = Hdf5File::Open(path);
  EXPECT_EQ(in.StringAttribute("/", "padded"), "abc");
  EXPECT_EQ(in.StringAttribute("/", "full"), "12345678");
  EXPECT_EQ(in.StringAttribute("/", "blank"), "ab c");
}

TEST(Hdf5File, ConvertsBigEndianAndReadsChunked) {
  const std::string path = TempPath("foreign.h5");
  const float values[] = {1, -2.5, 3e-20F, 4};
  const double wide[] = {1, -2.5, 3e-20, 4};
  {
    const Foreign file(path);
    const hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[] = {3};
    H5Pset_chunk(plan, 1, chunk);
    H5Pset_deflate(plan, 9);
    file.Dataset("chunked", H5T_NATIVE_FLOAT, {4}, values, plan);
    H5Pclose(plan);
    hid_t big = H5Dcreate2(file.file(), "big", H5T_IEEE_F64BE, H5Screate(H5S_SCALAR), H5P_DEFAULT,
                           H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(big, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &wide[1]);
    H5Dclose(big);
  }
  const auto in = Hdf5File::Open(path);
  EXPECT_EQ(std::memcmp(in.Read("chunked").data<float>(), values, sizeof values), 0);
  EXPECT_EQ(*in.Read("big").data<double>(), -2.5);
}

TEST(Hdf5File, ShapesThatTheFileCanNotHoldAskForNoMemory) {
  const std::string path = TempPath("absurd.h5");
  {
    const Foreign file(path);
    file.Dataset("never_written", H5T_NATIVE_FLOAT, {1U << 20, 1U << 20}, nullptr);
    const hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[] = {1, 1024};
    H5Pset_chunk(plan, 2, chunk);
    H5Pset_deflate(plan, 9);
    file.Dataset("huge", H5T_NATIVE_FLOAT, {1U << 20, 1U << 20}, nullptr, plan);
    file.Dataset("overflow", H5T_NATIVE_FLOAT, {hsize_t{1} << 40, hsize_t{1} << 40}, nullptr, plan);
    H5Pclose(plan);
  }
  const auto in = Hdf5File::Open(path);
  const auto corrupt = ErrorCode::kCorrupt;
  EXPECT_EQ(CodeOf([&] { in.Read("never_written"); }, {"/never_written", "are stored"}), corrupt);
  EXPECT_EQ(CodeOf([&] { in.Read("huge"); }, {"/huge", "[1048576,1048576]"}), corrupt);
  EXPECT_EQ(CodeOf([&] { in.Read("overflow"); }, {"absurd shape"}), corrupt);
}

TEST(Hdf5File, UnknownElementTypesAreErrors) {
  const std::string path = TempPath("types.h5");
  const std::uint16_t words[] = {1, 2};
  {
    const Foreign file(path);
    file.Dataset("u16", H5T_NATIVE_UINT16, {2}, words);
    file.Dataset("i16", H5T_NATIVE_INT16, {2}, words);
    file.Dataset("opaque", H5T_NATIVE_B16, {2}, words);
  }
  const auto in = Hdf5File::Open(path);
  for (const char* name : {"u16", "i16", "opaque"}) {
    EXPECT_EQ(CodeOf([&] { in.Read(name); }, {path, name}), ErrorCode::kCorrupt);
  }
}

TEST(Hdf5File, Bf16NeedsItsAttributeToSayBf16) {
  const std::string path = TempPath("bf16.h5");
  auto out = Hdf5File::Create(path);
  out.Write("x", Filled(DType::kBf16, {2}));
  out.SetAttribute("x", "dtype", "u16");
  out.Close();
  const auto in = Hdf5File::Open(path);
  EXPECT_EQ(CodeOf([&] { in.Read("x"); }, {"'u16'", "bf16"}), ErrorCode::kCorrupt);
}

TEST(Hdf5File, HasAndChildren) {
  const std::string path = TempPath("children.h5");
  auto out = Hdf5File::Create(path);
  for (const char* name : {"b/z", "b/a", "a/x"}) out.Write(name, Filled(DType::kI8, {1}));
  out.Close();
  const auto in = Hdf5File::Open(path);
  EXPECT_TRUE(in.Has("/"));
  EXPECT_TRUE(in.Has("/b/z"));
  EXPECT_FALSE(in.Has("/c/d/e"));
  EXPECT_FALSE(in.Has("/b/z/y"));  // through a dataset
  EXPECT_EQ(in.Children("/"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(in.Children("/b"), (std::vector<std::string>{"a", "z"}));
  EXPECT_EQ(CodeOf([&] { in.Children("b/z"); }, {"not a group"}), ErrorCode::kCorrupt);
  EXPECT_EQ(CodeOf([&] { in.Read("b"); }, {"not a dataset"}), ErrorCode::kCorrupt);
  EXPECT_EQ(CodeOf([&] { in.Read("b/q"); }, {path, "/b/q"}), ErrorCode::kCorrupt);
}

TEST(Hdf5File, WhatIsNoHdf5FileIsAnError) {
  const std::string path = TempPath("text.h5");
  EXPECT_EQ(CodeOf([&] { Hdf5File::Open(path + ".none"); }, {path}), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf([] { Hdf5File::Open(testing::TempDir()); }), ErrorCode::kCorrupt);
  for (const char* content : {"", "\x89HDF", "hello, this is text and no HDF5 file at all"}) {
    Spill(path, content);
    EXPECT_EQ(CodeOf([&] { Hdf5File::Open(path); }, {path, "not an HDF5"}), ErrorCode::kCorrupt);
  }
}

TEST(Hdf5File, TruncationAnywhereIsAnError) {
  const std::string path = TempPath("whole.h5");
  auto out = Hdf5File::Create(path);
  for (int i = 0; i < 4; ++i) out.Write(fmt::format("g/d{}", i), Filled(DType::kF32, {40, 50}));
  out.Close();
  const std::string whole = Slurp(path);
  const std::string cut = TempPath("cut.h5");
  for (std::size_t size = 0; size < whole.size(); size += 101) {
    Spill(cut, whole.substr(0, size));
    EXPECT_EQ(CodeOf([&] { Hdf5File::Open(cut).Read("g/d3"); }, {cut}), ErrorCode::kCorrupt);
  }
}

// Never a crash and never another exception; data that is still readable is fine, since golden
// files carry hashes.
TEST(Hdf5File, DamagedMetadataIsAnErrorOrHarmless) {
  const std::string path = TempPath("sound.h5");
  auto out = Hdf5File::Create(path);
  out.Write("g/x", Filled(DType::kF32, {4}));
  out.SetAttribute("g/x", "name", "value");
  out.Close();
  const std::string sound = Slurp(path);
  const std::string damaged = TempPath("damaged.h5");
  for (std::size_t i = 0; i < sound.size(); i += 3) {
    std::string content = sound;
    content[i] = static_cast<char>(content[i] ^ 0xFF);
    Spill(damaged, content);
    try {
      const auto in = Hdf5File::Open(damaged);
      EXPECT_LE(in.Read("g/x").bytes(), 2 * sound.size());
      in.StringAttribute("g/x", "name");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << "byte " << i << ": " << error.message();
    }
  }
}

TEST(Hdf5File, AFileAppearsOnlyWhenClosed) {
  const std::string path = TempPath("partial.h5");
  fs::remove(path);
  {
    auto out = Hdf5File::Create(path);
    out.Write("x", Filled(DType::kF32, {2}));
    EXPECT_FALSE(fs::exists(path));
    EXPECT_TRUE(fs::exists(path + ".partial"));
  }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(fs::exists(path + ".partial"));

  auto out = Hdf5File::Create(path);
  auto moved = std::move(out);
  moved.Close();
  EXPECT_TRUE(fs::exists(path));
  EXPECT_FALSE(fs::exists(path + ".partial"));
  EXPECT_EQ(CodeOf([&] { moved.Write("x", Filled(DType::kF32, {2})); }, {"after Close"}),
            ErrorCode::kInternal);
}

TEST(Hdf5File, PlacesThatCanNotBeWrittenSayWhy) {
  EXPECT_EQ(CodeOf([] { Hdf5File::Create("/no/such/folder/a.h5"); }, {"No such file"}),
            ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf([] { Hdf5File::Create("/proc/a.h5"); }, {"/proc/a.h5"}),
            ErrorCode::kUnavailable);
  const std::string folder = TempPath("folder.h5");
  fs::create_directory(folder);
  auto out = Hdf5File::Create(folder);
  EXPECT_EQ(CodeOf([&] { out.Close(); }, {folder}), ErrorCode::kUnavailable);
}

// A limit on file sizes stands in for a full disk.
TEST(Hdf5File, AFullDiskIsAnErrorAndLeavesNothing) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  for (const rlim_t limit : {10, 500, 3000, 10000, 1 << 16, 122000}) {
    const std::string path = TempPath(fmt::format("full_{}.h5", limit));
    const rlimit small{limit, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const auto write = [&] {
      auto out = Hdf5File::Create(path);
      for (int i = 0; i < 30; ++i) out.Write(fmt::format("x{}", i), Filled(DType::kF32, {1000}));
      out.Close();
    };
    EXPECT_EQ(CodeOf(write, {path, "File too large"}), ErrorCode::kUnavailable);
    setrlimit(RLIMIT_FSIZE, &old);
    EXPECT_FALSE(fs::exists(path));
    EXPECT_FALSE(fs::exists(path + ".partial"));
  }
}

TEST(Hdf5File, TheSameContentGivesTheSameBytes) {
  const std::string paths[] = {TempPath("same_a.h5"), TempPath("same_b.h5")};
  for (const std::string& path : paths) {
    auto out = Hdf5File::Create(path);
    out.Write("g/x", Filled(DType::kF16, {3, 4}));
    out.SetAttribute("/", "name", "value");
    out.Close();
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5's times are in seconds
  }
  EXPECT_EQ(Slurp(paths[0]), Slurp(paths[1]));
}

TEST(Hdf5File, WritingADatasetTwiceIsAnError) {
  auto out = Hdf5File::Create(TempPath("twice.h5"));
  out.Write("x", Filled(DType::kF32, {2}));
  EXPECT_EQ(CodeOf([&] { out.Write("x", Filled(DType::kF32, {2})); }, {"/x"}),
            ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace xdna
