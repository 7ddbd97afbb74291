// The container of a simulated overlay: an xclbin file as mlir-aie makes them (kernel MLIR_AIE, its
// arguments, memory groups, partition), with the overlay and the kernels that it calls in place of
// the array's binary (PDI), and an instruction stream where one belongs to it. XRT's own classes
// read it; only the simulated NPU can run it.
#ifndef DEVICE_CONTAINER_CONTAINER_H_
#define DEVICE_CONTAINER_CONTAINER_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "device/array/overlay.h"
#include "device/container/axlf.h"

namespace xdna::device {

// The kernel of an xclbin that mlir-aie makes, and its arguments: opcode, instruction buffer, count
// of instruction words, and up to kDataArguments buffers.
inline constexpr const char* kKernelName = "MLIR_AIE";
inline constexpr std::uint64_t kOpcode = 3;  // run an instruction stream (transaction)
inline constexpr int kInstructionArgument = 1;
inline constexpr int kInstructionCountArgument = 2;
inline constexpr int kFirstDataArgument = 3;
inline constexpr int kDataArguments = 5;
const XclbinKernel& NpuKernel();

// Where MEM_TOPOLOGY places a kernel's buffers: the memory group is the bank's index.
inline constexpr int kHostBank = 0;         // data
inline constexpr int kInstructionBank = 1;  // "SRAM"

// The bytes of the file. `instructions` are the words of a stream for this overlay
// (EncodeInstructions()), or none: the host makes its own. The UUID is derived from both, so the
// same content gives the same file. Throws kInvalidArgument where CheckOverlay() says no or the
// words are no stream.
std::vector<char> EncodeContainer(const Overlay& overlay,
                                  std::span<const std::uint32_t> instructions = {});
// No value: an xclbin without an overlay, a binary for hardware. Throws kCorrupt, naming the field.
std::optional<Overlay> DecodeContainer(const XclbinFile& file);
// The words of the container's stream, which were checked; empty if it has none. Throws kCorrupt,
// naming the word.
std::vector<std::uint32_t> ContainerInstructions(const XclbinFile& file);

// Throws kUnavailable where the file can't be written.
void WriteContainer(const std::string& path, const Overlay& overlay,
                    std::span<const std::uint32_t> instructions = {});

}  // namespace xdna::device

#endif  // DEVICE_CONTAINER_CONTAINER_H_
