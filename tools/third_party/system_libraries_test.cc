// Each external library can be included, linked and called.

#include <benchmark/benchmark.h>
#include <fftw3.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <hwy/targets.h>
#include <openssl/sha.h>
#include <sndfile.h>
#include <soxr.h>
#include <unicode/uchar.h>
#include <uuid/uuid.h>
#include <zlib.h>

#include <CLI/CLI.hpp>
#include <Eigen/Dense>
#include <dnnl.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace xdna {
namespace {

TEST(SystemLibrariesTest, HeaderOnlyLibrariesCompile) {
  EXPECT_EQ(Eigen::Vector3f(1, 2, 3).sum(), 6);
  EXPECT_EQ(nlohmann::json::parse(R"({"a": [1, 2]})")["a"].size(), 2u);
  EXPECT_THAT(std::vector<int>({1, 2}), testing::ElementsAre(1, 2));

  CLI::App app;
  int threads = 0;
  app.add_option("--threads", threads);
  app.parse("--threads=2");
  EXPECT_EQ(threads, 2);
}

TEST(SystemLibrariesTest, LinkedLibrariesAnswer) {
  EXPECT_EQ(fmt::format("{:>4}", 7), "   7");
  EXPECT_GE(dnnl_version()->major, 2);
  EXPECT_EQ(std::string(sf_version_string()).substr(0, 10), "libsndfile");
  EXPECT_EQ(std::string(soxr_version()).substr(0, 7), "libsoxr");
  EXPECT_NE(hwy::SupportedTargets(), 0);
  EXPECT_NE(u_isalpha(0xE4), 0);
  EXPECT_NE(zlibVersion(), nullptr);

  unsigned major = 0, minor = 0, release = 0;
  EXPECT_GE(H5get_libversion(&major, &minor, &release), 0);
  EXPECT_EQ(major, 1u);

  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>("abc"), 3, digest);
  EXPECT_EQ(digest[0], 0xba);

  void* points = fftw_malloc(16);
  EXPECT_NE(points, nullptr);
  fftw_free(points);

  uuid_t id;
  uuid_generate(id);
  EXPECT_FALSE(uuid_is_null(id));

  benchmark::RegisterBenchmark("nothing", [](benchmark::State& state) {
    int count = 0;
    for (auto _ : state) benchmark::DoNotOptimize(++count);
  });
}

}  // namespace
}  // namespace xdna
