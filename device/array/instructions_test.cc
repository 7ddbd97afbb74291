#include "device/array/instructions.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"

namespace xdna::device {
namespace {

std::vector<Instruction> Sample() {
  return {
      WriteDescriptor{.column = 3,
                      .id = 15,
                      .argument = 2,
                      .offset = 0x1'0000'0000,
                      .bytes = 4 * 16 * 32,
                      .pattern = {.engine = Engine::kShim,
                                  .sends = true,
                                  .element_bytes = 2,
                                  .dims = {{4, 2048}, {8, 512}, {32, 1}},
                                  .iteration = {64, 4096}}},
      PushTask{
          .column = 3, .sends = true, .channel = 1, .descriptor = 15, .repeat = 256, .token = true},
      WaitToken{.column = 3, .sends = true, .channel = 1},
      WriteRtp{.tile = {1, 4}, .index = 7, .value = -5},
      SetLock{.tile = {2, 1}, .id = 63, .value = 63},
  };
}

TEST(Instructions, ComeBackAsTheyWere) {
  const std::vector<std::uint32_t> words = EncodeInstructions(Sample());
  const std::vector<Instruction> back = DecodeInstructions(words);
  ASSERT_EQ(back.size(), 5u);
  const auto& write = std::get<WriteDescriptor>(back[0]);
  EXPECT_EQ(write.offset, 0x1'0000'0000u);
  EXPECT_EQ(write.pattern.dims[1].step, 512u);
  EXPECT_EQ(write.pattern.iteration.count, 64u);
  EXPECT_EQ(std::get<PushTask>(back[1]).repeat, 256u);
  EXPECT_TRUE(std::get<WaitToken>(back[2]).sends);
  EXPECT_EQ(std::get<WriteRtp>(back[3]).value, -5);
  EXPECT_EQ(std::get<SetLock>(back[4]).tile, (Tile{2, 1}));
  EXPECT_EQ(EncodeInstructions(back), words);
  EXPECT_TRUE(DecodeInstructions(EncodeInstructions({})).empty());
}

std::string Refused(const Instruction& instruction) {
  try {
    EncodeInstructions(std::vector{instruction});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.message();
  }
  return "accepted";
}

TEST(Instructions, RegistersHaveLimits) {
  const Pattern shim{.engine = Engine::kShim};
  EXPECT_EQ(Refused(WriteDescriptor{.id = 16, .bytes = 4, .pattern = shim}),
            "instruction 0: descriptor 16, not 0 to 15");
  EXPECT_EQ(Refused(WriteDescriptor{.bytes = 6, .pattern = shim}),
            "instruction 0: 6 bytes from byte 0 are no whole 32-bit words");
  EXPECT_EQ(Refused(WriteDescriptor{.bytes = 4}),
            "instruction 0: a pattern that is not for a shim");
  EXPECT_EQ(Refused(WriteDescriptor{.column = 4, .bytes = 4, .pattern = shim}),
            "instruction 0: column 4, not 0 to 3");
  EXPECT_EQ(Refused(WriteDescriptor{.argument = 64, .bytes = 4, .pattern = shim}),
            "instruction 0: argument 64, not 0 to 63");
  Pattern wide = shim;
  wide.dims = {{2, 9}, {2000, 3}};
  EXPECT_EQ(Refused(WriteDescriptor{.bytes = 16000, .pattern = wide}),
            "instruction 0: wrap 2000 of dimension 0 > 1023 (10 bits)");
  EXPECT_EQ(Refused(PushTask{.repeat = 257}), "instruction 0: repeat 257, not 1 to 256");
  EXPECT_EQ(Refused(PushTask{.channel = 2}), "instruction 0: channel 2, not 0 to 1");
  EXPECT_EQ(Refused(PushTask{.descriptor = 16}), "instruction 0: descriptor 16, not 0 to 15");
  EXPECT_EQ(Refused(WaitToken{.column = -1}), "instruction 0: column -1, not 0 to 3");
  EXPECT_EQ(Refused(WriteRtp{.tile = {0, 1}}),
            "instruction 0: a parameter of mem(0,1), which is no core");
  EXPECT_EQ(Refused(SetLock{.tile = {0, 2}, .id = 16}),
            "instruction 0: lock 16 of core(0,2), which has 16");
  EXPECT_EQ(Refused(SetLock{.tile = {0, 2}, .value = 64}),
            "instruction 0: lock value 64, not 0 to 63");
}

std::string Corrupt(std::vector<std::uint32_t> words) {
  try {
    DecodeInstructions(words);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    return error.message();
  }
  return "accepted";
}

TEST(Instructions, CorruptWordsAreNamed) {
  const std::vector<std::uint32_t> words = EncodeInstructions(Sample());
  EXPECT_EQ(Corrupt({}), "instructions: 0 words, less than a header of 3");
  auto bad = words;
  bad[0] = 1;
  EXPECT_EQ(Corrupt(bad), "instructions: word 0: magic 0x1, not 0x55504e58");
  bad = words;
  bad.push_back(0);
  EXPECT_EQ(Corrupt(bad), "instructions: word 2: 59 words, and there are 60");
  bad = words;
  bad[3] = 9u << 24 | 1;
  EXPECT_EQ(Corrupt(bad), "instructions: word 3: unknown operation 9");
  bad[3] = 0;
  EXPECT_NE(Corrupt(bad).find("word 3: an instruction of 0 words"), std::string::npos);
}

TEST(Instructions, AnyWordsAreReadOrRefused) {
  const std::vector<std::uint32_t> words = EncodeInstructions(Sample());
  std::mt19937 random(1);
  unsigned refused = 0;
  for (int round = 0; round < 20000; ++round) {
    auto bad = words;
    for (unsigned n = 1 + random() % 3; n > 0; --n) {
      std::uint32_t& word = bad[random() % bad.size()];
      switch (random() % 3) {
        case 0:
          word ^= 1u << random() % 32;
          break;
        case 1:
          word = static_cast<std::uint32_t>(random());
          break;
        default:
          word = random() % 70;
      }
    }
    if (random() % 4 == 0) {
      bad.resize(random() % bad.size());
      if (bad.size() > 2) bad[2] = static_cast<std::uint32_t>(bad.size());
    }
    try {
      const std::vector<Instruction> back = DecodeInstructions(bad);
      EXPECT_EQ(EncodeInstructions(back).size(), bad.size());
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 5000u);
}

}  // namespace
}  // namespace xdna::device
