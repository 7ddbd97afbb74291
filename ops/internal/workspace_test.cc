#include "ops/internal/workspace.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace xdna::ops {
namespace {

TEST(Workspace, GrowsToTheMostThatWasAskedFor) {
  Workspace workspace(3);
  EXPECT_EQ(workspace.shared(), nullptr);
  workspace.Reserve(100, 5000);
  workspace.Reserve(3 << 20, 10);
  const auto address = reinterpret_cast<std::uintptr_t>(workspace.shared());
  EXPECT_EQ(address % 64, 0U);
  std::memset(workspace.shared(), 1, 3 << 20);
  // Each thread's part is its own.
  for (int thread = 0; thread < 3; ++thread) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(workspace.of_thread(thread)) % 64, 0U);
    std::memset(workspace.of_thread(thread), thread + 2, 5000);
  }
  for (int thread = 0; thread < 3; ++thread) {
    EXPECT_EQ(std::to_integer<int>(workspace.of_thread(thread)[0]), thread + 2);
    EXPECT_EQ(std::to_integer<int>(workspace.of_thread(thread)[4999]), thread + 2);
  }
  const std::byte* before = workspace.shared();
  workspace.Reserve(1 << 20, 4000);
  EXPECT_EQ(workspace.shared(), before);
}

}  // namespace
}  // namespace xdna::ops
