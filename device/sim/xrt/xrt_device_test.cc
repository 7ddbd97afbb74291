// Devices, contexts and buffers of the simulated NPU: what it does as XRT and the driver do, and
// what it notices that they don't.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include "device/container/container.h"
#include "device/poison.h"
#include "device/sim/xrt/test_host.h"

namespace xdna::device {
namespace {

using ::testing::HasSubstr;
using XrtDeviceTest = XrtTest;

TEST_F(XrtDeviceTest, RunsAsTheToolchainsHostsDo) {
  Host host;
  xrt::run run = host.MakeRun();
  EXPECT_EQ(run.state(), ERT_CMD_STATE_NEW);
  run.start();
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_COMPLETED);
  EXPECT_EQ(run.state(), ERT_CMD_STATE_COMPLETED);
  host.output.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  EXPECT_TRUE(host.Copied());

  // The other way: kernel(...) makes, sets and starts.
  host.in()[0] = 99;
  host.input.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  xrt::run second =
      host.kernel(kOpcode3, host.instructions, host.words.size(), host.input, host.output);
  second.wait2();
  host.output.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  EXPECT_EQ(host.out()[0], 99U);
  EXPECT_TRUE(host.Copied());
}

TEST_F(XrtDeviceTest, DeviceTellsWhatItIs) {
  const xrt::device device(0U);
  EXPECT_THAT(device.get_info<xrt::info::device::name>(), HasSubstr("phx-1.0"));
  EXPECT_FALSE(device.get_info<xrt::info::device::bdf>().empty());
  EXPECT_EQ(device.get_info<xrt::info::device::max_clock_frequency_mhz>(), 1000U);
  EXPECT_THROW(device.get_info<xrt::info::device::thermal>(), std::runtime_error);
  EXPECT_THAT(MessageOf([] { xrt::device second(1U); }), HasSubstr("index '1'"));
}

TEST_F(XrtDeviceTest, XclbinTellsItsKernel) {
  const xrt::xclbin xclbin(EncodeContainer(CopyOverlay("copy")));
  const std::vector<xrt::xclbin::kernel> kernels = xclbin.get_kernels();
  ASSERT_EQ(kernels.size(), 1U);
  EXPECT_EQ(kernels[0].get_name(), "MLIR_AIE");
  EXPECT_EQ(kernels[0].get_type(), xrt::xclbin::kernel::kernel_type::dpu);
  ASSERT_EQ(kernels[0].get_num_args(), 8U);
  EXPECT_EQ(kernels[0].get_arg(3).get_name(), "bo0");
  EXPECT_EQ(kernels[0].get_arg(3).get_offset(), 0x14U);
  EXPECT_NE(xclbin.get_uuid(), xrt::xclbin(EncodeContainer(CopyOverlay("other"))).get_uuid());
}

TEST_F(XrtDeviceTest, GroupIdsAreThoseOfArguments) {
  Host host;
  EXPECT_EQ(host.kernel.group_id(1) & 0xFFFF, 1);
  EXPECT_EQ(host.kernel.group_id(3) & 0xFFFF, 0);
  EXPECT_EQ(host.kernel.group_id(0), -1);
  EXPECT_THROW(host.kernel.group_id(8), std::runtime_error);
}

TEST_F(XrtDeviceTest, XclbinMustBeRegistered) {
  const xrt::device device(0U);
  const xrt::xclbin xclbin(EncodeContainer(CopyOverlay("copy")));
  EXPECT_THAT(MessageOf([&] { xrt::hw_context context(device, xclbin.get_uuid()); }),
              HasSubstr("register_xclbin"));
}

TEST_F(XrtDeviceTest, BinaryForHardwareCannotRunHere) {
  XclbinFile file = ParseXclbin(EncodeContainer(CopyOverlay("copy")));
  file.sections.pop_back();
  xrt::device device(0U);
  const xrt::xclbin xclbin(EncodeXclbin(file));
  device.register_xclbin(xclbin);
  EXPECT_THAT(MessageOf([&] { xrt::hw_context context(device, xclbin.get_uuid()); }),
              HasSubstr("binary for hardware"));
}

TEST_F(XrtDeviceTest, KernelNameMustExist) {
  Host host;
  EXPECT_THAT(MessageOf([&] { xrt::kernel kernel(host.context, "DPU"); }),
              HasSubstr("No such kernel 'DPU'"));
  EXPECT_EQ(xrt::kernel(host.context, "MLIR_AIE:MLIRAIE").get_name(), "MLIR_AIE");
  EXPECT_THROW(xrt::kernel(host.context, "MLIR_AIE:x"), std::runtime_error);
}

TEST_F(XrtDeviceTest, SeventhContextIsRefused) {
  xrt::device device(0U);
  const xrt::xclbin xclbin(EncodeContainer(CopyOverlay("copy")));
  device.register_xclbin(xclbin);
  std::vector<xrt::hw_context> contexts;
  for (int i = 0; i < 6; ++i) contexts.emplace_back(device, xclbin.get_uuid());
  try {
    contexts.emplace_back(device, xclbin.get_uuid());
    FAIL() << "a seventh context was made";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EINVAL);
    EXPECT_THAT(error.what(), HasSubstr("DRM_IOCTL_AMDXDNA_CREATE_HWCTX IOCTL failed (err=-22)"));
  }
  contexts.pop_back();
  EXPECT_NO_THROW(contexts.emplace_back(device, xclbin.get_uuid()));
}

// --- buffers -----------------------------------------------------------------------------------

TEST_F(XrtDeviceTest, BufferFlagsAndSizes) {
  Host host;
  EXPECT_THROW(xrt::bo(host.device, 64, xrt::bo::flags::device_only, 0), std::system_error);
  EXPECT_THROW(xrt::bo(host.device, 64, xrt::bo::flags::p2p, 0), std::system_error);
  EXPECT_THROW(xrt::bo(host.device, 0, xrt::bo::flags::host_only, 0), std::system_error);
  EXPECT_THROW(xrt::bo(host.device, std::size_t{1} << 50, xrt::bo::flags::host_only, 0),
               std::system_error);
  // The instruction heap has 48 MiB.
  const xrt::bo most(host.device, std::size_t{40} << 20, xrt::bo::flags::cacheable, 1);
  EXPECT_THAT(MessageOf([&] {
                xrt::bo more(host.device, std::size_t{9} << 20, xrt::bo::flags::cacheable, 1);
              }),
              HasSubstr("err=-12"));
  std::vector<char> memory(4096);
  EXPECT_THROW(xrt::bo(host.device, memory.data(), 4096, xrt::bo::flags::host_only, 0),
               std::system_error);

  EXPECT_EQ(host.input.size(), kBytes);
  EXPECT_EQ(host.input.address() % 4096, 0U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(host.input.map<char*>()) % 4096, 0U);
  EXPECT_EQ(host.input.get_flags(), xrt::bo::flags::host_only);
}

TEST_F(XrtDeviceTest, ArgumentsTakeTheirKindOfBufferOnly) {
  Host host;
  xrt::run run = host.MakeRun();
  EXPECT_THAT(MessageOf([&] { run.set_arg(1, host.input); }), HasSubstr("CACHEABLE"));
  EXPECT_THAT(MessageOf([&] { run.set_arg(3, host.instructions); }), HasSubstr("HOST_ONLY"));
  const xrt::bo plain(host.device, kBytes, xrt::bo::flags::normal, host.kernel.group_id(3));
  EXPECT_THAT(MessageOf([&] { run.set_arg(3, plain); }), HasSubstr("HOST_ONLY"));
  const xrt::bo misplaced(host.device, kBytes, xrt::bo::flags::host_only, host.kernel.group_id(1));
  EXPECT_THAT(MessageOf([&] { run.set_arg(3, misplaced); }), HasSubstr("group_id(3)"));
  EXPECT_THAT(MessageOf([&] { run.set_arg(3, 5); }), HasSubstr("takes an xrt::bo"));
  EXPECT_THAT(MessageOf([&] { run.set_arg(2, host.input); }), HasSubstr("takes a number"));
  EXPECT_THROW(run.set_arg(8, host.input), std::runtime_error);
  EXPECT_THROW(run.set_arg("bo9", host.input), std::runtime_error);
  run.set_arg("bo0", host.input);
}

TEST_F(XrtDeviceTest, CopiesAreSeparateMemory) {
  Host host;
  host.in()[3] = 12345;  // and no sync
  xrt::run run = host.MakeRun();
  run.start();
  ASSERT_EQ(run.wait(), ERT_CMD_STATE_COMPLETED);
  EXPECT_EQ(host.out()[5], 0U) << "the host's copy changed without a sync";
  host.output.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  EXPECT_EQ(host.out()[3], 22U) << "the device saw what was not synced";
  EXPECT_EQ(host.out()[5], 36U);
}

TEST_F(XrtDeviceTest, DeviceMemoryIsPoisonAtFirst) {
  Host host;
  xrt::bo fresh(host.device, 64, xrt::bo::flags::host_only, host.kernel.group_id(3));
  EXPECT_EQ(fresh.map<std::uint32_t*>()[0], 0U);
  fresh.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  EXPECT_EQ(fresh.map<std::uint32_t*>()[0], kPoison);
}

TEST_F(XrtDeviceTest, RangesStayInside) {
  Host host;
  std::vector<char> bytes(kBytes + 1);
  EXPECT_THROW(host.input.sync(XCL_BO_SYNC_BO_TO_DEVICE, kBytes, 4), std::runtime_error);
  EXPECT_THROW(host.input.sync(XCL_BO_SYNC_BO_TO_DEVICE, 4, ~std::size_t{0}), std::runtime_error);
  EXPECT_THROW(host.input.write(bytes.data(), kBytes, 1), std::runtime_error);
  EXPECT_THROW(host.input.read(bytes.data(), kBytes + 1, 0), std::runtime_error);
  EXPECT_THROW(xrt::bo(host.input, kBytes, 4), std::runtime_error);
  EXPECT_THROW(xrt::bo(host.input, 4, 2), std::runtime_error);
  EXPECT_THROW(host.input.sync(XCL_BO_SYNC_BO_GMIO_TO_AIE), std::runtime_error);
}

TEST_F(XrtDeviceTest, PartsOfBuffersShareMemory) {
  Host host;
  xrt::bo whole(host.device, 2 * kBytes, xrt::bo::flags::host_only, host.kernel.group_id(4));
  xrt::bo part(whole, kBytes, kBytes);
  EXPECT_EQ(part.address(), whole.address() + kBytes);
  xrt::run run = host.MakeRun();
  run.set_arg(4, part);
  run.start();
  ASSERT_EQ(run.wait(), ERT_CMD_STATE_COMPLETED);
  whole.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  EXPECT_EQ(whole.map<std::uint32_t*>()[0], kPoison);
  EXPECT_EQ(std::memcmp(whole.map<char*>() + kBytes, host.in(), kBytes), 0);
}

TEST_F(XrtDeviceTest, HostWritingPastItsCopyIsReported) {
  Host host;
  {
    // As large as a few pages, so that the guard lies in the same allocation for sanitizers too.
    xrt::bo buffer(host.device, 100, xrt::bo::flags::host_only, host.kernel.group_id(3));
    volatile char* bytes = buffer.map<char*>();
    bytes[100] = 1;
    buffer.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    EXPECT_EQ(TakeViolations(), Rules{"host-guard"});
    bytes[-1] = 1;
  }
  EXPECT_EQ(TakeViolations(), Rules{"host-guard"});
}

}  // namespace
}  // namespace xdna::device
