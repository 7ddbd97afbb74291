#include "base/program.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

#include "base/error.h"

namespace xdna {
namespace {

using testing::internal::CaptureStderr;
using testing::internal::GetCapturedStderr;

TEST(RunProgram, TurnsErrorsIntoOneLineAndAnExitCode) {
  EXPECT_EQ(RunProgram("p", [] { return kExitWrong; }), kExitWrong);
  const struct {
    ErrorCode code;
    int exit;
  } kCases[] = {
      {ErrorCode::kInvalidArgument, kExitBadInput}, {ErrorCode::kNotFound, kExitBadInput},
      {ErrorCode::kCorrupt, kExitBadInput},         {ErrorCode::kUnsupported, kExitBadInput},
      {ErrorCode::kUnavailable, kExitFailed},       {ErrorCode::kInternal, kExitFailed}};
  for (const auto& c : kCases) {
    CaptureStderr();
    const int exit = RunProgram("p", [&]() -> int {
      return WithContext("a.h5", [&]() -> int { Throw(c.code, "field {} is bad", 7); });
    });
    EXPECT_EQ(exit, c.exit);
    EXPECT_EQ(GetCapturedStderr(), "p: a.h5: field 7 is bad\n");
  }
  CaptureStderr();
  EXPECT_EQ(RunProgram("p", []() -> int { throw std::bad_alloc(); }), kExitFailed);
  EXPECT_EQ(GetCapturedStderr(), "p: out of memory\n");
  CaptureStderr();
  EXPECT_EQ(RunProgram("p", []() -> int { throw std::runtime_error("odd"); }), kExitFailed);
  EXPECT_EQ(GetCapturedStderr(), "p: odd\n");
}

TEST(UserPath, IsRelativeToWhereTheUserStands) {
  setenv("BUILD_WORKING_DIRECTORY", "/home/user", 1);
  EXPECT_EQ(UserPath("a/b.wav"), "/home/user/a/b.wav");
  EXPECT_EQ(UserPath("/a/b.wav"), "/a/b.wav");
  EXPECT_EQ(UserPath("-"), "-");
  EXPECT_EQ(UserPath(""), "");
  unsetenv("BUILD_WORKING_DIRECTORY");
  EXPECT_EQ(UserPath("a/b.wav"), "a/b.wav");
}

TEST(RunfilePath, FindsDataAndSaysWhenThereIsNone) {
  EXPECT_FALSE(RunfilePath("base/program_test.cc").empty());
  EXPECT_EQ(RunfilePath("base/no_such_file"), "");
  EXPECT_EQ(RunfilePath("../no_such_repository/file"), "");
}

}  // namespace
}  // namespace xdna
