#include "device/container/axlf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "xrt/detail/xclbin.h"

namespace xdna::device {
namespace {

constexpr std::string_view kMagic("xclbin2\0", 8);
constexpr std::size_t kHeaderBytes = offsetof(axlf, m_sections);
constexpr std::size_t kAlign = 8;
constexpr std::size_t kMaxSections = 256;
constexpr std::size_t kMaxArguments = 64;

std::size_t RoundUp(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

// `field` is zero-filled and ends with a zero.
template <std::size_t kBytes, typename Char>
void SetText(Char (&field)[kBytes], const std::string& text, const char* what) {
  if (text.size() >= kBytes) {
    Throw(ErrorCode::kInvalidArgument, "xclbin: {} '{}' has {} characters, at most {} fit", what,
          text, text.size(), kBytes - 1);
  }
  std::memcpy(field, text.data(), text.size());
}

template <std::size_t kBytes, typename Char>
std::string GetText(const Char (&field)[kBytes]) {
  const char* text = reinterpret_cast<const char*>(field);
  return std::string(text, strnlen(text, kBytes));
}

axlf_section_header SectionHeader(std::span<const char> bytes, std::size_t index) {
  axlf_section_header header;
  std::memcpy(&header, bytes.data() + kHeaderBytes + index * sizeof header, sizeof header);
  return header;
}

axlf ReadHeader(std::span<const char> bytes) {
  if (bytes.size() < kHeaderBytes) {
    Throw(ErrorCode::kCorrupt, "xclbin: {} bytes, the header alone has {}", bytes.size(),
          kHeaderBytes);
  }
  axlf top{};
  std::memcpy(&top, bytes.data(), kHeaderBytes);
  if (std::memcmp(top.m_magic, kMagic.data(), kMagic.size()) != 0) {
    Throw(ErrorCode::kCorrupt, "xclbin: does not begin with 'xclbin2'");
  }
  if (top.m_header.m_length != bytes.size()) {
    Throw(ErrorCode::kCorrupt, "xclbin: header.m_length is {}, the file has {} bytes",
          top.m_header.m_length, bytes.size());
  }
  const std::size_t room = (bytes.size() - kHeaderBytes) / sizeof(axlf_section_header);
  if (top.m_header.m_numSections > std::min(room, kMaxSections)) {
    Throw(ErrorCode::kCorrupt, "xclbin: header.m_numSections is {}, at most {} can be here",
          top.m_header.m_numSections, std::min(room, kMaxSections));
  }
  return top;
}

}  // namespace

const XclbinSection* XclbinFile::Find(std::uint32_t kind) const {
  for (const XclbinSection& section : sections) {
    if (section.kind == kind) return &section;
  }
  return nullptr;
}

std::vector<char> EncodeXclbin(const XclbinFile& file) {
  axlf top{};
  std::memcpy(top.m_magic, kMagic.data(), kMagic.size());
  top.m_signature_length = -1;
  std::memset(top.reserved, 0xFF, sizeof top.reserved);
  std::memset(top.m_keyBlock, 0xFF, sizeof top.m_keyBlock);
  top.m_header.m_versionMajor = 2;
  top.m_header.m_versionMinor = 25;
  top.m_header.m_mode = XCLBIN_FLAT;
  SetText(top.m_header.m_platformVBNV, file.platform, "platform");
  std::memcpy(top.m_header.uuid, file.uuid.data(), file.uuid.size());
  top.m_header.m_numSections = static_cast<std::uint32_t>(file.sections.size());

  std::size_t end = RoundUp(kHeaderBytes + file.sections.size() * sizeof(axlf_section_header));
  std::vector<axlf_section_header> headers;
  for (const XclbinSection& section : file.sections) {
    axlf_section_header header{};
    header.m_sectionKind = section.kind;
    SetText(header.m_sectionName, section.name, "section name");
    header.m_sectionOffset = end;
    header.m_sectionSize = section.data.size();
    headers.push_back(header);
    end = RoundUp(end + section.data.size());
  }
  top.m_header.m_length = end;

  std::vector<char> bytes(end);
  std::memcpy(bytes.data(), &top, kHeaderBytes);
  for (std::size_t i = 0; i < headers.size(); ++i) {
    std::memcpy(bytes.data() + kHeaderBytes + i * sizeof headers[i], &headers[i],
                sizeof headers[i]);
    std::ranges::copy(file.sections[i].data, bytes.begin() + headers[i].m_sectionOffset);
  }
  return bytes;
}

XclbinFile ParseXclbin(std::span<const char> bytes) {
  const axlf top = ReadHeader(bytes);
  XclbinFile file;
  std::memcpy(file.uuid.data(), top.m_header.uuid, file.uuid.size());
  file.platform = GetText(top.m_header.m_platformVBNV);
  std::size_t copied = 0;
  for (std::size_t i = 0; i < top.m_header.m_numSections; ++i) {
    const axlf_section_header header = SectionHeader(bytes, i);
    if (header.m_sectionOffset > bytes.size() ||
        header.m_sectionSize > bytes.size() - header.m_sectionOffset) {
      Throw(ErrorCode::kCorrupt,
            "xclbin: section {} (kind {}) is said to have {} bytes from {} on, the file has {}", i,
            header.m_sectionKind, header.m_sectionSize, header.m_sectionOffset, bytes.size());
    }
    copied += header.m_sectionSize;
    if (copied > bytes.size()) {
      Throw(ErrorCode::kCorrupt, "xclbin: section {} (kind {}) overlaps with those before it", i,
            header.m_sectionKind);
    }
    const auto data = bytes.subspan(header.m_sectionOffset, header.m_sectionSize);
    file.sections.push_back({.kind = header.m_sectionKind,
                             .name = GetText(header.m_sectionName),
                             .data = {data.begin(), data.end()}});
  }
  return file;
}

// --- EMBEDDED_METADATA -------------------------------------------------------------------------

std::string EncodeMetadata(std::span<const XclbinKernel> kernels) {
  std::string xml =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<project name=\"\">\n"
      "  <platform vendor=\"\" boardid=\"\" name=\"\" featureRomTime=\"0\">\n"
      "    <version major=\"0\" minor=\"1\"/>\n"
      "    <device name=\"\" fpgaDevice=\"\">\n"
      "      <core name=\"OCL_REGION_0\" target=\"hw\" type=\"clc_region\">\n";
  for (const XclbinKernel& kernel : kernels) {
    xml += fmt::format("        <kernel name=\"{}\" language=\"c\" type=\"{}\">\n", kernel.name,
                       kernel.type);
    for (std::size_t i = 0; i < kernel.arguments.size(); ++i) {
      const XclbinArgument& argument = kernel.arguments[i];
      xml += fmt::format(
          "          <arg name=\"{}\" addressQualifier=\"{}\" id=\"{}\" size=\"0x{:x}\" "
          "offset=\"0x{:x}\" hostOffset=\"0x0\" hostSize=\"0x{:x}\" type=\"{}\"/>\n",
          argument.name, argument.is_global ? 1 : 0, i, argument.size, argument.offset,
          argument.size, argument.type);
    }
    for (const std::string& instance : kernel.instances) {
      xml += fmt::format("          <instance name=\"{}\"/>\n", instance);
    }
    xml += "        </kernel>\n";
  }
  return xml + "      </core>\n    </device>\n  </platform>\n</project>\n";
}

namespace {

// The tags of an XML text one after the other, as they are between < and >.
class Tags {
 public:
  explicit Tags(std::string_view xml) : rest_(xml) {}

  // False at the end.
  bool Next(std::string_view* tag) {
    const std::size_t begin = rest_.find('<');
    if (begin == std::string_view::npos) return false;
    const std::size_t end = rest_.find('>', begin);
    if (end == std::string_view::npos)
      Throw(ErrorCode::kCorrupt, "EMBEDDED_METADATA: a tag does not end");
    *tag = rest_.substr(begin + 1, end - begin - 1);
    rest_ = rest_.substr(end + 1);
    return true;
  }

 private:
  std::string_view rest_;
};

bool IsTag(std::string_view tag, std::string_view name) {
  return tag.substr(0, name.size()) == name &&
         (tag.size() == name.size() || tag[name.size()] == ' ' || tag[name.size()] == '/');
}

// Empty where the tag has no such attribute.
std::string_view Attribute(std::string_view tag, std::string_view name) {
  const std::string key = fmt::format(" {}=\"", name);
  const std::size_t found = tag.find(key);
  if (found == std::string_view::npos) return {};
  const std::size_t begin = found + key.size();
  const std::size_t end = tag.find('"', begin);
  return end == std::string_view::npos ? std::string_view() : tag.substr(begin, end - begin);
}

std::string Required(std::string_view tag, std::string_view name) {
  const std::string_view value = Attribute(tag, name);
  if (value.empty()) {
    Throw(ErrorCode::kCorrupt, "EMBEDDED_METADATA: <{}> has no {}", tag.substr(0, 60), name);
  }
  return std::string(value);
}

std::size_t RequiredNumber(std::string_view tag, std::string_view name) {
  const std::string text = Required(tag, name);
  char* end = nullptr;
  const unsigned long long value = std::strtoull(text.c_str(), &end, 0);
  if (*end != 0 || text[0] == '-' || value > 0xFFFFFFFF) {
    Throw(ErrorCode::kCorrupt, "EMBEDDED_METADATA: <{}>: {} '{}' is no number below 2^32",
          tag.substr(0, 60), name, text);
  }
  return value;
}

}  // namespace

std::vector<XclbinKernel> ParseMetadata(std::string_view xml) {
  std::vector<XclbinKernel> kernels;
  bool in_kernel = false;
  Tags tags(xml);
  for (std::string_view tag; tags.Next(&tag);) {
    if (IsTag(tag, "kernel")) {
      kernels.push_back({.name = Required(tag, "name"),
                         .type = std::string(Attribute(tag, "type")),
                         .arguments = {},
                         .instances = {}});
      in_kernel = tag.back() != '/';
    } else if (IsTag(tag, "/kernel")) {
      in_kernel = false;
    } else if (in_kernel && IsTag(tag, "arg")) {
      // Qualifier 0 is a number; 1 memory, 4 a stream (and so no number either).
      kernels.back().arguments.push_back({.name = Required(tag, "name"),
                                          .is_global = RequiredNumber(tag, "addressQualifier") != 0,
                                          .size = RequiredNumber(tag, "size"),
                                          .offset = RequiredNumber(tag, "offset"),
                                          .type = std::string(Attribute(tag, "type"))});
      if (kernels.back().arguments.size() > kMaxArguments) {
        Throw(ErrorCode::kCorrupt, "EMBEDDED_METADATA: kernel '{}' has more than {} arguments",
              kernels.back().name, kMaxArguments);
      }
    } else if (in_kernel && IsTag(tag, "instance")) {
      kernels.back().instances.push_back(Required(tag, "name"));
    }
  }
  return kernels;
}

}  // namespace xdna::device
