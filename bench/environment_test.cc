#include "bench/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/cpu.h"

namespace xdna::bench {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(Environment, SaysWhatRunsWhere) {
  const Environment environment = CurrentEnvironment(3);
  EXPECT_EQ(environment.threads, 3);
  EXPECT_EQ(environment.cpus, AvailableCpus());
  EXPECT_EQ(environment.cpu_features, CpuFeatureString());
  EXPECT_FALSE(environment.cpu_model.empty());
  EXPECT_THAT(environment.compiler, MatchesRegex("(GCC|Clang) [0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_FALSE(environment.flags.empty());
  EXPECT_THAT(environment.flags, ::testing::Not(HasSubstr("-Wall")));
  EXPECT_FALSE(environment.governor.empty());
  EXPECT_GE(environment.load_average, 0);
  EXPECT_THAT(environment.date,
              MatchesRegex("20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z"));
}

TEST(Environment, MachineClassTellsInstructionsAndCpus) {
  const std::string name = CurrentEnvironment(1).machine_class;
  EXPECT_THAT(name, HasSubstr("-family"));
  EXPECT_THAT(name, EndsWith("-" + std::to_string(AvailableCpus()) + "cpu"));
  EXPECT_EQ(name.find_first_of(" /"), std::string::npos) << name;
}

TEST(Environment, VersionsOfWhatRuns) {
  const auto libraries = CurrentEnvironment(1).libraries;
  for (const char* name : {"onednn", "hdf5", "eigen", "highway"}) {
    ASSERT_EQ(libraries.count(name), 1U) << name;
    EXPECT_THAT(libraries.at(name), MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+")) << name;
  }
}

class Revision : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) / "it's a workspace";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    setenv("BUILD_WORKSPACE_DIRECTORY", folder_.c_str(), 1);
    setenv("GIT_CEILING_DIRECTORIES", folder_.parent_path().c_str(), 1);
  }
  void TearDown() override { unsetenv("BUILD_WORKSPACE_DIRECTORY"); }

  bool Shell(const std::string& command) const {
    return std::system(("cd \"" + folder_.string() + "\" && " + command).c_str()) == 0;
  }
  static Environment Now() { return CurrentEnvironment(1); }

  std::filesystem::path folder_;
};

TEST_F(Revision, UnknownOutsideAWorkspace) {
  unsetenv("BUILD_WORKSPACE_DIRECTORY");
  EXPECT_EQ(Now().git_revision, "unknown");
  EXPECT_FALSE(Now().git_dirty.has_value());
  EXPECT_EQ(RevisionString(Now()), "git revision unknown");
}

TEST_F(Revision, UnknownWithoutARepository) { EXPECT_EQ(Now().git_revision, "unknown"); }

TEST_F(Revision, UnknownWhereTheFolderIsGone) {
  setenv("BUILD_WORKSPACE_DIRECTORY", "/nowhere/at/all", 1);
  EXPECT_EQ(Now().git_revision, "unknown");
}

TEST_F(Revision, CleanAndChanged) {
  if (std::system("git --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "git is not installed";
  ASSERT_TRUE(
      Shell("export HOME=$PWD && git init -q . && echo 1 > a && git add a && "
            "git -c user.name=a -c user.email=a@b.c commit -q -m a"));
  Environment environment = Now();
  EXPECT_THAT(environment.git_revision, MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(environment.git_dirty, false);
  EXPECT_EQ(RevisionString(environment), "git " + environment.git_revision.substr(0, 12));

  ASSERT_TRUE(Shell("echo 1 > results.jsonl"));
  EXPECT_EQ(Now().git_dirty, false) << "a new file that no rule names changes nothing";
  ASSERT_TRUE(Shell("echo 2 > a"));
  environment = Now();
  EXPECT_EQ(environment.git_dirty, true);
  EXPECT_THAT(RevisionString(environment), EndsWith(" with changes"));
}

}  // namespace
}  // namespace xdna::bench
