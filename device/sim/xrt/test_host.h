// A host that uses XRT as mlir-aie's test programs do, for tests of the simulated NPU.
#ifndef DEVICE_SIM_XRT_TEST_HOST_H_
#define DEVICE_SIM_XRT_TEST_HOST_H_

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "device/container/container.h"
#include "device/measure.h"
#include "device/sim/xrt/test_overlay.h"
#include "xrt/experimental/xrt_kernel.h"
#include "xrt/experimental/xrt_xclbin.h"
#include "xrt/xrt_bo.h"
#include "xrt/xrt_device.h"
#include "xrt/xrt_hw_context.h"
#include "xrt/xrt_kernel.h"

namespace xdna::device {

inline constexpr std::size_t kBytes = 4 * kTestBlockBytes;
inline constexpr unsigned kOpcode3 = 3;

template <typename Body>
std::string MessageOf(Body&& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

// The rules broken since the last call.
inline std::vector<std::string> TakeViolations() {
  std::vector<std::string> rules;
  for (const Violation& violation : Violations()) rules.push_back(violation.rule);
  ClearViolations();
  return rules;
}

using Rules = std::vector<std::string>;

// A host that does everything right.
struct Host {
  explicit Host(const Overlay& overlay = CopyOverlay("copy"))
      : xclbin(EncodeContainer(overlay)),
        context((device.register_xclbin(xclbin), device), xclbin.get_uuid()),
        kernel(context, "MLIR_AIE"),
        words(CopyInstructions(kBytes)),
        instructions(device, words.size() * 4, xrt::bo::flags::cacheable, kernel.group_id(1)),
        input(device, kBytes, xrt::bo::flags::host_only, kernel.group_id(3)),
        output(device, kBytes, xrt::bo::flags::host_only, kernel.group_id(4)) {
    instructions.write(words.data());
    instructions.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    for (std::size_t i = 0; i < kBytes / 4; ++i) in()[i] = static_cast<std::uint32_t>(i * 7 + 1);
    input.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  }

  xrt::run MakeRun() {
    xrt::run run(kernel);
    run.set_arg(0, kOpcode3);
    run.set_arg(1, instructions);
    run.set_arg(2, static_cast<std::uint32_t>(words.size()));
    run.set_arg(3, input);
    run.set_arg(4, output);
    return run;
  }
  std::uint32_t* in() { return input.map<std::uint32_t*>(); }
  std::uint32_t* out() { return output.map<std::uint32_t*>(); }
  bool Copied() { return std::memcmp(in(), out(), kBytes) == 0; }

  xrt::device device{0U};
  xrt::xclbin xclbin;
  xrt::hw_context context;
  xrt::kernel kernel;
  std::vector<std::uint32_t> words;
  xrt::bo instructions, input, output;
};

class XrtTest : public ::testing::Test {
 protected:
  XrtTest() { ConfigureDevice(DeviceOptions{.threads = 1}); }
  ~XrtTest() override { EXPECT_EQ(TakeViolations(), Rules()); }
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_XRT_TEST_HOST_H_
