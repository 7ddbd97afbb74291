#include "device/container/container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/array/instructions.h"
#include "device/container/kernel_set.h"
#include "device/container/overlay_json.h"
#include "xrt/detail/xclbin.h"

namespace xdna::device {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

template <typename Body>
std::string MessageOf(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << error.what();
    return error.what();
  }
  return "(nothing was thrown)";
}

// One of everything, so that each field is written and read.
Overlay FullOverlay() {
  Overlay overlay;
  overlay.name = "full";
  overlay.buffers = {{.name = "in", .tile = {1, 2}, .bytes = 64, .address = 1024}};
  overlay.locks = {{.name = "empty", .tile = {1, 2}, .id = 3, .initial = 2}};
  Pattern pattern{.engine = Engine::kMem,
                  .sends = true,
                  .element_bytes = 2,
                  .dims = {{.count = 4, .step = 8, .zeros_before = 1, .zeros_after = 2}, {}},
                  .iteration = {.count = 3, .step = 16}};
  overlay.descriptors = {{.tile = {1, 1},
                          .id = 24,
                          .buffer = 0,
                          .offset = 8,
                          .bytes = 16,
                          .pattern = pattern,
                          .acquire = {.lock = 0, .value = 2},
                          .release = {},
                          .next = 0}};
  overlay.channels = {{.tile = {1, 1}, .sends = true, .index = 5, .first = 0}};
  overlay.routes = {{.from = 0, .to = {1, 2}, .packet_id = 9}};
  const Statement call{
      .kind = Statement::Kind::kCall,
      .kernel = "add_i32",
      .arguments = {{.kind = Argument::Kind::kObject, .index = 1, .object = 1, .offset = 32},
                    {.number = {.kind = Value::Kind::kRtp, .number = -5}}}};
  const Statement loop{.kind = Statement::Kind::kLoop, .times = {.number = 7}, .body = {call}};
  overlay.programs = {{.tile = {1, 2},
                       .ports = {{.name = "p", .buffers = {0}, .acquire = 0, .release = 1}},
                       .body = {loop},
                       .rtps = 2,
                       .stack_bytes = 2048,
                       .program_bytes = 4096}};
  return overlay;
}

Overlay SmallOverlay() {
  Overlay overlay;
  overlay.name = "small";
  overlay.buffers = {{.name = "block", .tile = {0, 1}, .bytes = 1024, .address = 0}};
  return overlay;
}

std::vector<std::uint32_t> SmallStream() {
  return EncodeInstructions(
      std::vector<Instruction>{WaitToken{.column = 1, .sends = true, .channel = 1}});
}

// --- overlays as JSON --------------------------------------------------------------------------

TEST(OverlayJsonTest, ComesBackAsItWas) {
  const std::string text = EncodeOverlay(FullOverlay());
  EXPECT_EQ(EncodeOverlay(DecodeOverlay(text)), text);
  const Overlay back = DecodeOverlay(text);
  EXPECT_EQ(back.descriptors[0].pattern.dims[0].zeros_after, 2U);
  EXPECT_EQ(back.descriptors[0].pattern.engine, Engine::kMem);
  const Statement& call = back.programs[0].body[0].body[0];
  EXPECT_EQ(call.kernel, "add_i32");
  EXPECT_EQ(call.arguments[0].kind, Argument::Kind::kObject);
  EXPECT_EQ(call.arguments[1].number.kind, Value::Kind::kRtp);
  EXPECT_EQ(call.arguments[1].number.number, -5);
  EXPECT_EQ(back.programs[0].stack_bytes, 2048U);
  EXPECT_EQ(back.routes[0].to, (std::vector<int>{1, 2}));
}

// A change at a place of the document, and the message that must name it.
TEST(OverlayJsonTest, NamesTheFieldThatIsWrong) {
  struct Case {
    const char* at;
    Json value;
    const char* message;
  };
  const std::vector<Case> cases = {
      {"/format", "other", "overlay.format: 'other'"},
      {"/version", 1, "overlay.version: 1, this program reads 2"},
      {"/kernels/0/name", "sub_i32",
       "overlay.kernels: [sub_i32(1+1)] where the cores call [add_i32(1+1)]"},
      {"/kernels/0/pointers", 2, "overlay.kernels: [add_i32(2+1)] where"},
      {"/kernels/0/numbers", "x", "overlay.kernels[0].numbers: string where an integer"},
      {"/kernels/0/needed", true, "overlay.kernels[0]: unknown field 'needed'"},
      {"/kernels", Json::array(), "overlay.kernels: [] where the cores call [add_i32(1+1)]"},
      {"/extra", 1, "overlay: unknown field 'extra'"},
      {"/overlay/buffers", Json::object(), "overlay.overlay.buffers: object where a list is due"},
      {"/overlay/buffers/0", 5, "overlay.overlay.buffers[0]: number where an object is due"},
      {"/overlay/buffers/0/bytes", "x", "overlay.buffers[0].bytes: string where an integer is due"},
      {"/overlay/buffers/0/bytes", -1, "overlay.buffers[0].bytes: -1 is not from 0 to"},
      {"/overlay/buffers/0/bytes", 1.5, "overlay.buffers[0].bytes: number where an integer is due"},
      {"/overlay/locks/0/id", 4294967296, "overlay.locks[0].id: 4294967296 is not from 0 to"},
      {"/overlay/locks/0/name", 1, "overlay.locks[0].name: number where a string is due"},
      {"/overlay/locks/0/color", 1, "overlay.locks[0]: unknown field 'color'"},
      {"/overlay/descriptors/0/pattern/engine", "gpu",
       "pattern.engine: 'gpu' is none of core, mem"},
      {"/overlay/descriptors/0/pattern/sends", 1, "pattern.sends: number where a boolean is due"},
      {"/overlay/programs/0/body/0/kind", "jump", "body[0].kind: 'jump' is none of acquire"},
      {"/overlay/routes/0/to/1", "a", "overlay.routes[0].to[1]: string where an integer is due"},
  };
  for (const Case& one : cases) {
    Json json = Json::parse(EncodeOverlay(FullOverlay()));
    json[Json::json_pointer(one.at)] = one.value;
    EXPECT_THAT(MessageOf([&] { DecodeOverlay(json.dump()); }), HasSubstr(one.message)) << one.at;
  }
  Json json = Json::parse(EncodeOverlay(FullOverlay()));
  json["overlay"]["buffers"][0].erase("address");
  EXPECT_THAT(MessageOf([&] { DecodeOverlay(json.dump()); }),
              HasSubstr("overlay.overlay.buffers[0].address: missing"));
  EXPECT_EQ(MessageOf([] { DecodeOverlay("{"); }), "overlay: not JSON");
  EXPECT_EQ(MessageOf([] { DecodeOverlay(""); }), "overlay: not JSON");
  EXPECT_EQ(MessageOf([] { DecodeOverlay("[]"); }), "overlay: array where an object is due");
}

TEST(KernelSetTest, EachKernelOnceOfAlternativesToo) {
  EXPECT_EQ(KernelsOf(FullOverlay()), (std::vector<KernelUse>{{"add_i32", 1, 1}}));
  EXPECT_TRUE(KernelsOf(SmallOverlay()).empty());
  Overlay overlay = FullOverlay();
  overlay.alternatives = {FullOverlay()};
  overlay.alternatives[0].programs[0].body[0].body[0].kernel = "a";
  EXPECT_EQ(KernelsOf(overlay), (std::vector<KernelUse>{{"a", 1, 1}, {"add_i32", 1, 1}}));
  overlay.alternatives[0].programs[0].body[0].body[0] = {
      .kind = Statement::Kind::kCall, .kernel = "add_i32", .arguments = {}};
  EXPECT_THROW(EncodeOverlay(overlay), Error);
}

TEST(OverlayJsonTest, CallsOfAKernelThatDifferAreRefused) {
  Overlay overlay = FullOverlay();
  overlay.alternatives = {FullOverlay()};
  Json json = Json::parse(EncodeOverlay(overlay));
  json[Json::json_pointer("/overlay/alternatives/0/programs/0/body/0/body/0/arguments")] =
      Json::array();
  EXPECT_THAT(MessageOf([&] { DecodeOverlay(json.dump()); }),
              HasSubstr("overlay.programs: kernel add_i32 is called with 0 pointers"));
}

TEST(OverlayJsonTest, DeepNestingIsRefused) {
  EXPECT_EQ(MessageOf([] { DecodeOverlay(std::string(1000000, '[')); }), "overlay: not JSON");
  Overlay overlay = FullOverlay();
  for (int i = 0; i < 20; ++i) {
    overlay.programs[0].body = {
        {.kind = Statement::Kind::kLoop, .times = {.number = 1}, .body = overlay.programs[0].body}};
  }
  EXPECT_THAT(MessageOf([&] { DecodeOverlay(EncodeOverlay(overlay)); }), HasSubstr("nested more"));
}

// --- xclbin files ------------------------------------------------------------------------------

TEST(ContainerTest, IsAnXclbinThatHoldsTheOverlay) {
  const std::vector<char> bytes = EncodeContainer(SmallOverlay());
  EXPECT_EQ(EncodeContainer(SmallOverlay()), bytes) << "the same overlay gives the same file";
  const XclbinFile file = ParseXclbin(bytes);
  const std::optional<Overlay> overlay = DecodeContainer(file);
  ASSERT_TRUE(overlay);
  EXPECT_EQ(EncodeOverlay(*overlay), EncodeOverlay(SmallOverlay()));
  Overlay other = SmallOverlay();
  other.name = "other";
  EXPECT_NE(ParseXclbin(EncodeContainer(other)).uuid, file.uuid);
}

// As the header of XRT sees the file.
TEST(ContainerTest, SectionsAreWhatXrtReads) {
  const std::vector<char> bytes = EncodeContainer(SmallOverlay());
  std::vector<std::uint64_t> aligned(bytes.size() / 8 + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  const auto* top = reinterpret_cast<const axlf*>(aligned.data());
  const auto* begin = reinterpret_cast<const char*>(aligned.data());
  ASSERT_EQ(std::strcmp(top->m_magic, "xclbin2"), 0);
  EXPECT_EQ(top->m_header.m_length, bytes.size());

  const auto* topology = reinterpret_cast<const mem_topology*>(
      begin + xclbin::get_axlf_section(top, MEM_TOPOLOGY)->m_sectionOffset);
  ASSERT_EQ(topology->m_count, 2);
  EXPECT_STREQ(reinterpret_cast<const char*>(topology->m_mem_data[kHostBank].m_tag), "HOST");
  EXPECT_STREQ(reinterpret_cast<const char*>(topology->m_mem_data[kInstructionBank].m_tag), "SRAM");

  const auto* layout = reinterpret_cast<const ip_layout*>(
      begin + xclbin::get_axlf_section(top, IP_LAYOUT)->m_sectionOffset);
  ASSERT_EQ(layout->m_count, 1);
  EXPECT_EQ(layout->m_ip_data[0].m_type, IP_PS_KERNEL);
  EXPECT_EQ(layout->m_ip_data[0].ps_kernel.m_kernel_id, 0x901);
  EXPECT_STREQ(reinterpret_cast<const char*>(layout->m_ip_data[0].m_name), "MLIR_AIE:MLIRAIE");

  const auto* connections = reinterpret_cast<const connectivity*>(
      begin + xclbin::get_axlf_section(top, CONNECTIVITY)->m_sectionOffset);
  ASSERT_EQ(connections->m_count, 1 + kDataArguments);
  EXPECT_EQ(connections->m_connection[0].arg_index, kInstructionArgument);
  EXPECT_EQ(connections->m_connection[0].mem_data_index, kInstructionBank);

  const auto* partition = reinterpret_cast<const aie_partition*>(
      begin + xclbin::get_axlf_section(top, AIE_PARTITION)->m_sectionOffset);
  EXPECT_EQ(partition->info.column_width, 4);
  EXPECT_EQ(partition->info.start_columns.size, 1U);
  EXPECT_EQ(partition->aie_pdi.size, 0U) << "there is no binary in it";
}

TEST(ContainerTest, CarriesAnInstructionStream) {
  const std::vector<std::uint32_t> words = SmallStream();
  const std::vector<char> with = EncodeContainer(SmallOverlay(), words);
  const XclbinFile file = ParseXclbin(with);
  EXPECT_EQ(ContainerInstructions(file), words);
  EXPECT_TRUE(DecodeContainer(file));
  const XclbinFile without = ParseXclbin(EncodeContainer(SmallOverlay()));
  EXPECT_TRUE(ContainerInstructions(without).empty());
  EXPECT_NE(file.uuid, without.uuid);
}

TEST(ContainerTest, StreamThatIsNoneIsRefused) {
  const std::vector<std::uint32_t> nonsense = {1, 2, 3};
  EXPECT_THROW(EncodeContainer(SmallOverlay(), nonsense), Error);
  XclbinFile file = ParseXclbin(EncodeContainer(SmallOverlay(), SmallStream()));
  const auto with = [&file](auto&& change) {
    XclbinFile bad = file;
    change(bad.sections.back().data);
    return MessageOf([&] { ContainerInstructions(bad); });
  };
  EXPECT_THAT(with([](auto& data) { data.push_back(0); }), HasSubstr("no whole words of 4"));
  EXPECT_THAT(with([](auto& data) { data.clear(); }), HasSubstr("0 words, less than a header"));
  EXPECT_THAT(with([](auto& data) { data[0] = 0; }), HasSubstr("word 0: magic"));
  // Column 77: fine as a number, and no column.
  EXPECT_THAT(with([](auto& data) { data[16] = 77; }), HasSubstr("column 77"));
}

TEST(ContainerTest, OverlayThatHardwareCouldNotHoldIsRefused) {
  Overlay overlay = SmallOverlay();
  overlay.buffers[0].bytes = std::size_t{1} << 30;
  EXPECT_THROW(EncodeContainer(overlay), Error);
}

TEST(ContainerTest, XclbinWithoutAnOverlayIsSoNamed) {
  XclbinFile file{.uuid = {1}, .platform = "x", .sections = {{PDI, "pdi", {'a', 'b'}}}};
  EXPECT_FALSE(DecodeContainer(ParseXclbin(EncodeXclbin(file))));
  // Another's USER_METADATA is not ours.
  file.sections.push_back({USER_METADATA, "note", {'h', 'i'}});
  EXPECT_FALSE(DecodeContainer(ParseXclbin(EncodeXclbin(file))));
  file.sections.push_back({USER_METADATA, "xdna-overlay", {'h', 'i'}});
  EXPECT_EQ(MessageOf([&] { DecodeContainer(ParseXclbin(EncodeXclbin(file))); }),
            "overlay: not JSON");
  file.sections[0].name = "a name too long for it";
  EXPECT_THROW(EncodeXclbin(file), Error);
}

TEST(ContainerTest, HeaderIsChecked) {
  const std::vector<char> good = EncodeContainer(SmallOverlay());
  const auto with = [&good](std::size_t at, std::uint64_t value, std::size_t bytes) {
    std::vector<char> bad = good;
    std::memcpy(bad.data() + at, &value, bytes);
    return MessageOf([&] { ParseXclbin(bad); });
  };
  const std::size_t header = offsetof(axlf, m_header);
  EXPECT_THAT(with(0, 0, 8), HasSubstr("xclbin2"));
  EXPECT_THAT(with(header + offsetof(axlf_header, m_length), 7, 8), HasSubstr("m_length is 7"));
  EXPECT_THAT(with(header + offsetof(axlf_header, m_numSections), 0xFFFFFFFF, 4),
              HasSubstr("m_numSections"));
  const std::size_t first = offsetof(axlf, m_sections);
  EXPECT_THAT(with(first + offsetof(axlf_section_header, m_sectionOffset), ~0ULL, 8),
              HasSubstr("section 0 (kind 6)"));
  EXPECT_THAT(with(first + offsetof(axlf_section_header, m_sectionSize), ~0ULL, 8),
              HasSubstr("section 0 (kind 6)"));
  EXPECT_THAT(with(first + offsetof(axlf_section_header, m_sectionSize), good.size() - 2000, 8),
              HasSubstr("section"));
  EXPECT_THAT(MessageOf([&] { ParseXclbin({good.data(), 100}); }), HasSubstr("100 bytes"));
}

// Whatever is flipped or cut, reading ends in a value or in kCorrupt.
TEST(ContainerTest, DamageNeverCrashes) {
  const std::vector<char> good = EncodeContainer(SmallOverlay(), SmallStream());
  std::mt19937 random(5);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::vector<char> bad = good;
    for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
      bad[random() % bad.size()] = static_cast<char>(random());
    }
    if (i % 5 == 0) bad.resize(random() % bad.size());
    try {
      const XclbinFile file = ParseXclbin(bad);
      if (const XclbinSection* xml = file.Find(EMBEDDED_METADATA)) {
        ParseMetadata({xml->data.data(), xml->data.size()});
      }
      DecodeContainer(file);
      ContainerInstructions(file);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
}

// --- EMBEDDED_METADATA -------------------------------------------------------------------------

TEST(MetadataTest, ComesBackAsItWas) {
  const std::vector<XclbinKernel> kernels =
      ParseMetadata(EncodeMetadata(std::vector<XclbinKernel>{NpuKernel()}));
  ASSERT_EQ(kernels.size(), 1U);
  EXPECT_EQ(kernels[0].name, "MLIR_AIE");
  EXPECT_EQ(kernels[0].type, "dpu");
  ASSERT_EQ(kernels[0].arguments.size(), 8U);
  EXPECT_EQ(kernels[0].arguments[1].name, "instr");
  EXPECT_TRUE(kernels[0].arguments[1].is_global);
  EXPECT_EQ(kernels[0].arguments[2].size, 4U);
  EXPECT_EQ(kernels[0].arguments[7].offset, 0x34U);
  EXPECT_EQ(kernels[0].instances, std::vector<std::string>{"MLIRAIE"});
}

TEST(MetadataTest, NamesTheTagThatIsWrong) {
  const auto parse = [](const std::string& xml) { return MessageOf([&] { ParseMetadata(xml); }); };
  EXPECT_THAT(parse("<kernel language=\"c\">"), HasSubstr("<kernel language=\"c\"> has no name"));
  EXPECT_THAT(parse("<kernel name=\"a\"><arg name=\"x\"/>"), HasSubstr("no addressQualifier"));
  EXPECT_THAT(parse("<kernel name=\"a\"><arg name=\"x\" addressQualifier=\"1\" size=\"z\"/>"),
              HasSubstr("size 'z'"));
  EXPECT_THAT(parse("<kernel name"), HasSubstr("does not end"));
  EXPECT_TRUE(ParseMetadata("<a><kernel name=\"k\" /><arg/></a>")[0].arguments.empty());
}

}  // namespace
}  // namespace xdna::device
