#include "device/container/container.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>

#include "base/error.h"
#include "base/sha256.h"
#include "device/array/instructions.h"
#include "device/container/overlay_json.h"
#include "xrt/detail/xclbin.h"

namespace xdna::device {
namespace {

constexpr const char* kPlatform = "xdna-whisper-bench:simulated-npu1";
constexpr const char* kSectionName = "xdna-overlay";
constexpr const char* kInstructionSection = "xdna-insts";
constexpr const char* kInstance = "MLIRAIE";
constexpr std::uint16_t kDpuKernelId = 0x901;        // as mlir-aie's kernels.json
constexpr std::uint64_t kBankAddress = 0x4000000;    // as mlir-aie's mem_topology.json
constexpr std::uint32_t kOperationsPerCycle = 2048;  // mlir-aie's partition.json

template <typename T>
void Append(std::vector<char>& bytes, const T& value) {
  bytes.resize(bytes.size() + sizeof value);
  std::memcpy(bytes.data() + bytes.size() - sizeof value, &value, sizeof value);
}

mem_data Bank(const char* tag, std::uint64_t size_kb) {
  mem_data bank{};
  bank.m_type = MEM_DRAM;
  bank.m_used = 1;
  bank.m_size = size_kb;
  bank.m_base_address = kBankAddress;
  std::memcpy(bank.m_tag, tag, std::strlen(tag));
  return bank;
}

std::vector<char> MemTopology() {
  std::vector<char> bytes(offsetof(mem_topology, m_mem_data));
  const std::int32_t count = 2;
  std::memcpy(bytes.data(), &count, sizeof count);
  Append(bytes, Bank("HOST", 0x10000));
  Append(bytes, Bank("SRAM", 0xC000));
  return bytes;
}

std::vector<char> IpLayout() {
  std::vector<char> bytes(offsetof(ip_layout, m_ip_data));
  const std::int32_t count = 1;
  std::memcpy(bytes.data(), &count, sizeof count);
  ip_data ip{};
  ip.m_type = IP_PS_KERNEL;
  ip.ps_kernel.m_subtype = ST_DPU;
  ip.ps_kernel.m_functional = FC_DPU;
  ip.ps_kernel.m_kernel_id = kDpuKernelId;
  const std::string name = std::string(kKernelName) + ":" + kInstance;
  std::memcpy(ip.m_name, name.data(), name.size());
  Append(bytes, ip);
  return bytes;
}

std::vector<char> Connectivity() {
  const XclbinKernel& kernel = NpuKernel();
  std::vector<connection> connections;
  for (std::size_t i = 0; i < kernel.arguments.size(); ++i) {
    if (!kernel.arguments[i].is_global) continue;
    const int bank = i == kInstructionArgument ? kInstructionBank : kHostBank;
    connections.push_back({static_cast<std::int32_t>(i), 0, bank});
  }
  std::vector<char> bytes;
  Append(bytes, static_cast<std::int32_t>(connections.size()));
  for (const connection& one : connections) Append(bytes, one);
  return bytes;
}

// Four columns that may start at column 1, as npu1 has them, and no binary: a real driver refuses
// the file rather than running nothing.
std::vector<char> AiePartition() {
  aie_partition partition{};
  const std::uint16_t start_column = 1;
  partition.mpo_name = sizeof partition + sizeof(std::uint64_t);
  partition.operations_per_cycle = kOperationsPerCycle;
  partition.info.column_width = kColumns;
  partition.info.start_columns = {.size = 1, .offset = sizeof partition};
  std::vector<char> bytes;
  Append(bytes, partition);
  Append(bytes, start_column);
  bytes.resize(partition.mpo_name);
  constexpr std::string_view kName("simulated\0", 10);
  bytes.insert(bytes.end(), kName.begin(), kName.end());
  return bytes;
}

// From the text's hash, marked as version 8 (custom), variant 1 of RFC 9562.
std::array<std::uint8_t, 16> UuidOf(const std::string& text) {
  const std::string digest = Sha256(text.data(), text.size());
  std::array<std::uint8_t, 16> uuid{};
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    uuid[i] = static_cast<std::uint8_t>(std::stoi(digest.substr(2 * i, 2), nullptr, 16));
  }
  uuid[6] = static_cast<std::uint8_t>(0x80 | (uuid[6] & 0x0F));
  uuid[8] = static_cast<std::uint8_t>(0x80 | (uuid[8] & 0x3F));
  return uuid;
}

std::vector<char> Bytes(const std::string& text) { return {text.begin(), text.end()}; }

const XclbinSection* FindOurs(const XclbinFile& file, std::string_view name) {
  for (const XclbinSection& section : file.sections) {
    if (section.kind == USER_METADATA && section.name == name) return &section;
  }
  return nullptr;
}

}  // namespace

const XclbinKernel& NpuKernel() {
  static const XclbinKernel kernel = [] {
    XclbinKernel made{.name = kKernelName, .type = "dpu", .arguments = {}, .instances = {}};
    const auto add = [&made](std::string name, bool is_global, std::size_t size, std::size_t offset,
                             const char* type) {
      made.arguments.push_back({std::move(name), is_global, size, offset, type});
    };
    add("opcode", false, 8, 0x00, "uint64_t");
    add("instr", true, 8, 0x08, "char *");
    add("ninstr", false, 4, 0x10, "uint32_t");
    for (int i = 0; i < kDataArguments; ++i) {
      add("bo" + std::to_string(i), true, 8, 0x14 + 8 * static_cast<std::size_t>(i), "void*");
    }
    made.instances.emplace_back(kInstance);
    return made;
  }();
  return kernel;
}

std::vector<char> EncodeContainer(const Overlay& overlay,
                                  std::span<const std::uint32_t> instructions) {
  if (const Fit fit = CheckOverlay(overlay); !fit) {
    Throw(ErrorCode::kInvalidArgument, "overlay '{}': {}", overlay.name, fit.reason);
  }
  const std::string text = EncodeOverlay(overlay);
  const auto* words = reinterpret_cast<const char*>(instructions.data());
  const std::vector<char> stream(words, words + instructions.size_bytes());
  XclbinFile file{.uuid = UuidOf(text + std::string(stream.begin(), stream.end())),
                  .platform = kPlatform,
                  .sections = {}};
  file.sections = {
      {MEM_TOPOLOGY, "mem_topology", MemTopology()},
      {AIE_PARTITION, "aie_partition", AiePartition()},
      {EMBEDDED_METADATA, "metadata", Bytes(EncodeMetadata({&NpuKernel(), 1}))},
      {IP_LAYOUT, "ip_layout", IpLayout()},
      {CONNECTIVITY, "connectivity", Connectivity()},
      {USER_METADATA, kSectionName, Bytes(text)},
  };
  if (!stream.empty()) {
    try {
      static_cast<void>(DecodeInstructions(instructions));
    } catch (const Error& error) {
      Throw(ErrorCode::kInvalidArgument, "overlay '{}': {}", overlay.name, error.message());
    }
    file.sections.push_back({USER_METADATA, kInstructionSection, stream});
  }
  return EncodeXclbin(file);
}

std::optional<Overlay> DecodeContainer(const XclbinFile& file) {
  const XclbinSection* section = FindOurs(file, kSectionName);
  if (section == nullptr) return std::nullopt;
  return DecodeOverlay({section->data.data(), section->data.size()});
}

std::vector<std::uint32_t> ContainerInstructions(const XclbinFile& file) {
  const XclbinSection* section = FindOurs(file, kInstructionSection);
  if (section == nullptr) return {};
  std::vector<std::uint32_t> words(section->data.size() / sizeof(std::uint32_t));
  if (words.size() * sizeof(std::uint32_t) != section->data.size()) {
    Throw(ErrorCode::kCorrupt, "instructions: {} bytes are no whole words of 4",
          section->data.size());
  }
  if (!words.empty()) std::memcpy(words.data(), section->data.data(), section->data.size());
  try {
    static_cast<void>(DecodeInstructions(words));
  } catch (const Error& error) {
    // What registers can't hold is the caller's fault elsewhere, and the file's here.
    throw Error(ErrorCode::kCorrupt, error.message());
  }
  return words;
}

void WriteContainer(const std::string& path, const Overlay& overlay,
                    std::span<const std::uint32_t> instructions) {
  const std::vector<char> bytes = EncodeContainer(overlay, instructions);
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) Throw(ErrorCode::kUnavailable, "{}: can't be written", path);
}

}  // namespace xdna::device
