// XRT's headers are the version that the host code is written for, and compile on their own.

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <type_traits>

#include "xrt/detail/ert.h"
#include "xrt/detail/version-slim.h"
#include "xrt/experimental/xrt_elf.h"
#include "xrt/experimental/xrt_ext.h"
#include "xrt/experimental/xrt_kernel.h"
#include "xrt/experimental/xrt_module.h"
#include "xrt/experimental/xrt_xclbin.h"
#include "xrt/xrt_bo.h"
#include "xrt/xrt_device.h"
#include "xrt/xrt_hw_context.h"
#include "xrt/xrt_kernel.h"
#include "xrt/xrt_uuid.h"

namespace xdna {
namespace {

// What Debian 12's own XRT 2.13 lacks.
static_assert(std::is_constructible_v<xrt::hw_context, const xrt::device&, const xrt::uuid&>);
static_assert(std::is_constructible_v<xrt::kernel, const xrt::hw_context&, const std::string&>);
static_assert(std::is_constructible_v<xrt::runlist, const xrt::hw_context&>);
static_assert(std::is_constructible_v<xrt::bo, const xrt::hw_context&, std::size_t, xrt::bo::flags,
                                      xrt::memory_group>);

TEST(XrtHeadersTest, AreVersion225) {
  EXPECT_EQ(XRT_MAJOR(XRT_VERSION_CODE), 2);
  EXPECT_EQ(XRT_MINOR(XRT_VERSION_CODE), 25);
}

TEST(XrtHeadersTest, KnowTheNpuCommands) {
  EXPECT_EQ(ERT_CMD_STATE_COMPLETED, 4);
  EXPECT_EQ(ERT_CMD_CHAIN, 19);
}

}  // namespace
}  // namespace xdna
