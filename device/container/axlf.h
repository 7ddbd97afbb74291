// xclbin files: AMD's container of NPU binaries ("axlf" in xrt/detail/xclbin.h, whose structures
// this uses). A header, and sections of a kind each.
#ifndef DEVICE_CONTAINER_AXLF_H_
#define DEVICE_CONTAINER_AXLF_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace xdna::device {

struct XclbinSection {
  std::uint32_t kind = 0;  // axlf_section_kind
  std::string name;        // at most 15 characters
  std::vector<char> data;
};

struct XclbinFile {
  std::array<std::uint8_t, 16> uuid{};
  std::string platform;  // "VBNV", at most 63 characters
  std::vector<XclbinSection> sections;

  const XclbinSection* Find(std::uint32_t kind) const;  // null if there is none
};

// Throws kInvalidArgument where a name is too long.
std::vector<char> EncodeXclbin(const XclbinFile& file);
// Throws kCorrupt, naming the header's field or the section. Copies no more than `bytes` holds.
XclbinFile ParseXclbin(std::span<const char> bytes);

// An argument of a kernel as EMBEDDED_METADATA describes it.
struct XclbinArgument {
  std::string name;
  bool is_global = false;  // a buffer; else a number
  std::size_t size = 0;    // bytes in the command
  std::size_t offset = 0;
  std::string type;
};

struct XclbinKernel {
  std::string name;
  std::string type;  // "dpu" for NPUs
  std::vector<XclbinArgument> arguments;
  std::vector<std::string> instances;
};

// To the XML of EMBEDDED_METADATA and back. Throws kCorrupt, naming the tag and its attribute.
std::string EncodeMetadata(std::span<const XclbinKernel> kernels);
std::vector<XclbinKernel> ParseMetadata(std::string_view xml);

}  // namespace xdna::device

#endif  // DEVICE_CONTAINER_AXLF_H_
