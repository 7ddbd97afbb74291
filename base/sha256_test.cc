#include "base/sha256.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "base/error.h"

namespace xdna {
namespace {

// FIPS 180-2, appendix B.1.
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256, MatchesThePublishedVector) { EXPECT_EQ(Sha256("abc", 3), kAbc); }

TEST(Sha256, OfAFile) {
  const std::string path = testing::TempDir() + "/abc";
  std::FILE* file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  std::fputs("abc", file);
  std::fclose(file);
  EXPECT_EQ(Sha256OfFile(path), kAbc);
  EXPECT_THROW(Sha256OfFile(path + ".missing"), Error);
}

}  // namespace
}  // namespace xdna
