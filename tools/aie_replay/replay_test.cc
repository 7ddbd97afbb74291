#include "tools/aie_replay/replay.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "base/program.h"

namespace xdna::aie_replay {
namespace {

std::string Path(const std::string& name) { return testing::TempDir() + "/" + name; }

// Writes datasets as h5py would, by HDF5 itself.
class File {
 public:
  explicit File(const std::string& name)
      : path_(Path(name)),
        file_(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~File() { Close(); }

  File& Add(const std::string& name, hid_t type, const std::vector<hsize_t>& shape,
            const void* values) {
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t dataset =
        H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (values != nullptr) H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(dataset);
    H5Sclose(space);
    return *this;
  }
  std::string Close() {
    if (file_ >= 0) H5Fclose(file_);
    file_ = -1;
    return path_;
  }

 private:
  std::string path_;
  hid_t file_;
};

template <typename T>
std::vector<T> Out(const std::string& path) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t dataset = H5Dopen2(file, "/out", H5P_DEFAULT);
  const hid_t type = H5Dget_type(dataset);
  const hid_t space = H5Dget_space(dataset);
  EXPECT_EQ(H5Tget_size(type), sizeof(T));
  EXPECT_EQ(H5Tget_sign(type) == H5T_SGN_NONE, std::is_unsigned_v<T>);
  EXPECT_EQ(H5Sget_simple_extent_ndims(space), 1);
  std::vector<T> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
  if (!values.empty()) H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Sclose(space);
  H5Tclose(type);
  H5Dclose(dataset);
  H5Fclose(file);
  return values;
}

Job MakeJob(const std::string& op, const std::string& in) {
  Job job;
  job.op = op;
  job.in = in;
  job.out = Path(op + "_out.h5");
  return job;
}

// The message of the error that the job ends with.
std::string Message(const Job& job, ErrorCode code) {
  try {
    Replay(job);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.message();
    return error.message();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Replay, ReproducesTheCapturesOfThePhoenix) {
  const auto capture = [](const std::string& name) {
    std::ifstream file(RunfilePath("golden/silicon/" + name + ".json"));
    return nlohmann::json::parse(file);
  };
  for (const int rounding : {0, 9, 12}) {
    const nlohmann::json json = capture("f32_to_bf16_r" + std::to_string(rounding));
    const auto in = json.at("input_f32_bits").get<std::vector<std::uint32_t>>();
    Job job = MakeJob("srs_bf16",
                      File("srs.h5").Add("in", H5T_NATIVE_UINT32, {in.size()}, in.data()).Close());
    job.rounding = rounding;
    EXPECT_EQ(Replay(job), in.size());
    EXPECT_EQ(Out<std::uint16_t>(job.out),
              json.at("silicon_bf16_bits").get<std::vector<std::uint16_t>>());
  }
  const nlohmann::json json = capture("mmul_4x8x4_bf16");
  const auto a = json.at("a_bf16_bits").get<std::vector<std::uint16_t>>();
  const auto b = json.at("b_bf16_bits").get<std::vector<std::uint16_t>>();
  const auto silicon = json.at("silicon_f32_bits").get<std::vector<std::uint32_t>>();
  std::vector<std::uint16_t> x, y;
  for (std::size_t i = 0; i < silicon.size(); ++i) {
    const std::size_t tile = i / 16, row = i % 16 / 4, column = i % 4;
    for (std::size_t k = 0; k < 8; ++k) {
      x.push_back(a[tile * 32 + row * 8 + k]);
      y.push_back(b[tile * 32 + k * 4 + column]);
    }
  }
  const std::vector<std::uint32_t> acc(silicon.size());
  File file("mac.h5");
  file.Add("acc", H5T_NATIVE_UINT32, {acc.size()}, acc.data());
  file.Add("a", H5T_NATIVE_UINT16, {acc.size(), 8}, x.data());
  file.Add("b", H5T_NATIVE_UINT16, {acc.size(), 8}, y.data());
  const Job job = MakeJob("mac_bf16", file.Close());
  EXPECT_EQ(Replay(job), 432U);
  EXPECT_EQ(Out<std::uint32_t>(job.out), silicon);
}

TEST(Replay, FloorsBf16) {
  const std::vector<std::uint16_t> in = {0x3FC0, 0xC020, 0x0001, 0x8001, 0xFFFF, 0x4F80};
  Job job = MakeJob("vfloor_bf16",
                    File("floor.h5").Add("in", H5T_NATIVE_UINT16, {in.size()}, in.data()).Close());
  Replay(job);
  const std::vector<std::int32_t> floors = {1, -3, 0, -1, 2147483647, 2147483647};
  EXPECT_EQ(Out<std::int32_t>(job.out), floors);
  job.shift = 3;
  Replay(job);
  EXPECT_EQ(Out<std::int32_t>(job.out)[0], 12);
}

TEST(Replay, ReadsBigEndianAndEmptyDatasets) {
  const std::vector<std::uint16_t> in = {0x3FC0};
  // H5Dwrite swaps, since the file's type is big-endian and the memory's is said to be, too.
  const std::vector<std::uint16_t> swapped = {0xC03F};
  Job job = MakeJob("vfloor_bf16",
                    File("big.h5").Add("in", H5T_STD_U16BE, {in.size()}, swapped.data()).Close());
  EXPECT_EQ(Replay(job), 1U);
  EXPECT_EQ(Out<std::int32_t>(job.out)[0], 1);
  job.in = File("empty.h5").Add("in", H5T_NATIVE_UINT16, {0}, nullptr).Close();
  EXPECT_EQ(Replay(job), 0U);
  EXPECT_TRUE(Out<std::int32_t>(job.out).empty());
}

TEST(Replay, OptionsReachTheModel) {
  const std::uint32_t acc = 0;
  const std::uint16_t a[8] = {0x0080}, b[8] = {0x8080};
  File file("underflow.h5");
  file.Add("acc", H5T_NATIVE_UINT32, {1}, &acc);
  file.Add("a", H5T_NATIVE_UINT16, {1, 8}, a).Add("b", H5T_NATIVE_UINT16, {1, 8}, b);
  Job job = MakeJob("mac_bf16", file.Close());
  Replay(job);
  EXPECT_EQ(Out<std::uint32_t>(job.out)[0], 0U);
  job.options.mac_underflow = aie::host::mac_underflow::signed_zero;
  Replay(job);
  EXPECT_EQ(Out<std::uint32_t>(job.out)[0], 0x80000000U);
}

TEST(Replay, RefusesWhatDoesNotExist) {
  Job job = MakeJob("mul_bf16", Path("none.h5"));
  EXPECT_EQ(Message(job, ErrorCode::kInvalidArgument),
            "operation 'mul_bf16': unknown; there are mac_bf16, srs_bf16 and vfloor_bf16");
  job.op = "srs_bf16";
  EXPECT_EQ(Message(job, ErrorCode::kNotFound), job.in + ": no such file");
  job.rounding = 5;
  EXPECT_EQ(Message(job, ErrorCode::kInvalidArgument),
            "rounding 5: no such mode; there are 0 to 3 and 8 to 13");
  job.rounding = 0;
  job.shift = 32;
  EXPECT_EQ(Message(job, ErrorCode::kInvalidArgument), "shift 32: must be from -32 to 31");
}

TEST(Replay, RefusesFilesThatAreNotWhatTheyShouldBe) {
  Job job = MakeJob("srs_bf16", Path("text.h5"));
  std::ofstream(job.in) << "not HDF5";
  EXPECT_EQ(Message(job, ErrorCode::kCorrupt), job.in + ": not an HDF5 file, or cut off");
  const std::vector<std::uint16_t> values(16);
  job.in = File("type.h5").Add("in", H5T_NATIVE_UINT16, {16}, values.data()).Close();
  EXPECT_EQ(Message(job, ErrorCode::kCorrupt),
            job.in + ": /in: holds 16-bit unsigned integers; expected 32-bit unsigned integers");
  job.in = File("signed.h5").Add("in", H5T_NATIVE_INT32, {8}, values.data()).Close();
  EXPECT_EQ(Message(job, ErrorCode::kCorrupt),
            job.in + ": /in: holds 32-bit signed integers; expected 32-bit unsigned integers");
  job.in = File("float.h5").Add("in", H5T_NATIVE_FLOAT, {8}, values.data()).Close();
  EXPECT_EQ(Message(job, ErrorCode::kCorrupt),
            job.in + ": /in: holds 32-bit floats; expected 32-bit unsigned integers");
  job.in = File("shape.h5").Add("in", H5T_NATIVE_UINT32, {2, 4}, values.data()).Close();
  EXPECT_EQ(Message(job, ErrorCode::kCorrupt), job.in + ": /in: has shape [2, 4]; expected [n]");
  job.in = File("name.h5").Add("input", H5T_NATIVE_UINT32, {8}, values.data()).Close();
  EXPECT_EQ(Message(job, ErrorCode::kCorrupt), job.in + ": /in: not in the file, or not a dataset");
  // Never written: HDF5 stores nothing and would hand out zeros, terabytes of them here.
  job.in = File("huge.h5").Add("in", H5T_NATIVE_UINT32, {hsize_t{1} << 40}, nullptr).Close();
  EXPECT_EQ(Message(job, ErrorCode::kCorrupt),
            job.in + ": /in: claims 1099511627776 rows of 4 bytes, but takes 0 bytes in the file");
}

TEST(Replay, RefusesRowsThatDoNotMatch) {
  const std::vector<std::uint32_t> acc(2);
  const std::vector<std::uint16_t> a(24);
  File file("rows.h5");
  file.Add("acc", H5T_NATIVE_UINT32, {2}, acc.data());
  file.Add("a", H5T_NATIVE_UINT16, {2, 8}, a.data()).Add("b", H5T_NATIVE_UINT16, {3, 8}, a.data());
  EXPECT_EQ(Message(MakeJob("mac_bf16", file.Close()), ErrorCode::kCorrupt),
            Path("rows.h5") + ": /acc, /a and /b have 2, 2 and 3 rows; expected as many in each");
}

TEST(Replay, LeavesNothingWhereItCannotWrite) {
  const std::vector<std::uint16_t> in(4);
  Job job =
      MakeJob("vfloor_bf16", File("in.h5").Add("in", H5T_NATIVE_UINT16, {4}, in.data()).Close());
  job.out = Path("no/such/folder.h5");
  EXPECT_EQ(Message(job, ErrorCode::kUnavailable), job.out + ": can't be written");
  job.out = Path("folder");
  std::filesystem::create_directory(job.out);
  EXPECT_NE(Message(job, ErrorCode::kUnavailable).find("can't be written: "), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(job.out + ".partial"));
}

}  // namespace
}  // namespace xdna::aie_replay
