#include "device/array/instructions.h"

#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "device/array/overlay_check.h"

namespace xdna::device {
namespace {

using internal::No;

constexpr std::uint32_t kMagic = 0x55504E58;  // "XNPU"
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderWords = 3;
constexpr unsigned kMaxRepeat = 256;
constexpr unsigned kMaxArguments = 64;
constexpr std::size_t kMaxDims = 8;
constexpr unsigned kMaxAlternatives = 15;

// Operations; each instruction begins with `operation << 24 | words`.
enum Operation : std::uint32_t { kWrite = 1, kPush, kWait, kRtp, kLock, kConfigure };

Fit CheckShim(int column, unsigned channel) {
  if (column < 0 || column >= kColumns) return No("column {}, not 0 to {}", column, kColumns - 1);
  const unsigned channels = TileLimitsOf(Engine::kShim).channels;
  if (channel >= channels) return No("channel {}, not 0 to {}", channel, channels - 1);
  return {};
}

Fit CheckId(unsigned id) {
  const unsigned ids = TileLimitsOf(Engine::kShim).descriptors;
  if (id >= ids) return No("descriptor {}, not 0 to {}", id, ids - 1);
  return {};
}

Fit Check(const WriteDescriptor& w) {
  if (Fit fit = CheckShim(w.column, 0); !fit) return fit;
  if (Fit fit = CheckId(w.id); !fit) return fit;
  if (w.argument >= kMaxArguments)
    return No("argument {}, not 0 to {}", w.argument, kMaxArguments - 1);
  if (w.pattern.engine != Engine::kShim) return No("a pattern that is not for a shim");
  return internal::CheckTransfer(w.pattern, w.bytes, w.offset);
}

Fit Check(const PushTask& p) {
  if (Fit fit = CheckShim(p.column, p.channel); !fit) return fit;
  if (Fit fit = CheckId(p.descriptor); !fit) return fit;
  if (p.repeat < 1 || p.repeat > kMaxRepeat)
    return No("repeat {}, not 1 to {}", p.repeat, kMaxRepeat);
  return {};
}

Fit Check(const WaitToken& w) { return CheckShim(w.column, w.channel); }

Fit Check(const WriteRtp& w) {
  if (!internal::OnArray(w.tile) || w.tile.engine() != Engine::kCore) {
    return No("a parameter of {}, which is no core", w.tile.name());
  }
  if (w.index >= kTileDataBytes / 4) return No("parameter {}", w.index);
  return {};
}

Fit Check(const SetLock& s) {
  if (!internal::OnArray(s.tile)) return No("a lock of {}, which does not exist", s.tile.name());
  const unsigned locks = TileLimitsOf(s.tile.engine()).locks;
  if (s.id >= locks) return No("lock {} of {}, which has {}", s.id, s.tile.name(), locks);
  if (s.value < 0 || s.value > static_cast<int>(kLockMax)) {
    return No("lock value {}, not 0 to {}", s.value, kLockMax);
  }
  return {};
}

Fit Check(const Configure& c) {
  if (c.index > kMaxAlternatives) {
    return No("alternative {}, not 0 to {}", c.index, kMaxAlternatives);
  }
  return {};
}

class Encoder {
 public:
  std::vector<std::uint32_t> Encode(std::span<const Instruction> instructions) {
    words_ = {kMagic, kVersion, 0};
    for (std::size_t i = 0; i < instructions.size(); ++i) {
      if (Fit fit = CheckInstruction(instructions[i]); !fit) {
        Throw(ErrorCode::kInvalidArgument, "instruction {}: {}", i, fit.reason);
      }
      const std::size_t begin = words_.size();
      std::visit([&](const auto& instruction) { Put(instruction); }, instructions[i]);
      words_[begin] |= static_cast<std::uint32_t>(words_.size() - begin);
    }
    words_[2] = static_cast<std::uint32_t>(words_.size());
    return std::move(words_);
  }

 private:
  void Begin(Operation operation) { words_.push_back(operation << 24); }
  template <typename T>
  void Word(T value) {
    words_.push_back(static_cast<std::uint32_t>(value));
  }
  void Wide(std::uint64_t value) {
    Word(value);
    Word(value >> 32);
  }
  void Place(Tile tile) {
    Word(tile.col);
    Word(tile.row);
  }
  void PutDim(const Dim& dim) {
    Wide(dim.count);
    Wide(dim.step);
    Word(dim.zeros_before);
    Word(dim.zeros_after);
  }

  void Put(const WriteDescriptor& w) {
    Begin(kWrite);
    Word(w.column);
    Word(w.id);
    Word(w.argument);
    Wide(w.offset);
    Wide(w.bytes);
    Word(w.pattern.sends ? 1 : 0);
    Word(w.pattern.element_bytes);
    PutDim(w.pattern.iteration);
    Word(w.pattern.dims.size());
    for (const Dim& dim : w.pattern.dims) PutDim(dim);
  }
  void Put(const PushTask& p) {
    Begin(kPush);
    Word(p.column);
    Word(p.sends ? 1 : 0);
    Word(p.channel);
    Word(p.descriptor);
    Word(p.repeat);
    Word(p.token ? 1 : 0);
  }
  void Put(const WaitToken& w) {
    Begin(kWait);
    Word(w.column);
    Word(w.sends ? 1 : 0);
    Word(w.channel);
  }
  void Put(const WriteRtp& w) {
    Begin(kRtp);
    Place(w.tile);
    Word(w.index);
    Word(w.value);
  }
  void Put(const SetLock& s) {
    Begin(kLock);
    Place(s.tile);
    Word(s.id);
    Word(s.value);
  }
  void Put(const Configure& c) {
    Begin(kConfigure);
    Word(c.index);
  }

  std::vector<std::uint32_t> words_;
};

class Decoder {
 public:
  explicit Decoder(std::span<const std::uint32_t> words) : words_(words) {}

  std::vector<Instruction> Decode() {
    CheckHeader();
    std::vector<Instruction> instructions;
    while (at_ < words_.size()) {
      const std::size_t begin = at_;
      Instruction instruction = One();
      if (Fit fit = CheckInstruction(instruction); !fit) {
        Throw(ErrorCode::kInvalidArgument, "instruction {} at word {}: {}", instructions.size(),
              begin, fit.reason);
      }
      instructions.push_back(std::move(instruction));
    }
    return instructions;
  }

 private:
  template <typename... Args>
  [[noreturn]] void Bad(std::size_t word, fmt::format_string<Args...> format, Args&&... args) {
    Throw(ErrorCode::kCorrupt, "instructions: word {}: {}", word,
          fmt::format(format, std::forward<Args>(args)...));
  }

  void CheckHeader() {
    if (words_.size() < kHeaderWords) {
      Throw(ErrorCode::kCorrupt, "instructions: {} words, less than a header of {}", words_.size(),
            kHeaderWords);
    }
    if (words_[0] != kMagic) Bad(0, "magic {:#x}, not {:#x}", words_[0], kMagic);
    if (words_[1] != kVersion) Bad(1, "version {}, not {}", words_[1], kVersion);
    if (words_[2] != words_.size()) Bad(2, "{} words, and there are {}", words_[2], words_.size());
    at_ = kHeaderWords;
  }

  Instruction One() {
    const std::size_t begin = at_;
    const std::uint32_t operation = words_[begin] >> 24;
    const std::size_t length = words_[begin] & 0xFFFFFF;
    if (length == 0 || length > words_.size() - begin) {
      Bad(begin, "an instruction of {} words, and {} are left", length, words_.size() - begin);
    }
    end_ = begin + length;
    ++at_;
    Instruction instruction = Body(operation, begin);
    if (at_ != end_) Bad(begin, "{} words, where {} are right", length, at_ - begin);
    return instruction;
  }

  Instruction Body(std::uint32_t operation, std::size_t begin) {
    switch (operation) {
      case kWrite:
        return TakeWrite();
      case kPush:
        return PushTask{.column = Signed(),
                        .sends = Flag(),
                        .channel = Word(),
                        .descriptor = Word(),
                        .repeat = Word(),
                        .token = Flag()};
      case kWait:
        return WaitToken{.column = Signed(), .sends = Flag(), .channel = Word()};
      case kRtp:
        return WriteRtp{.tile = Place(), .index = Word(), .value = Signed()};
      case kLock:
        return SetLock{.tile = Place(), .id = Word(), .value = Signed()};
      case kConfigure:
        return Configure{.index = Word()};
      default:
        Bad(begin, "unknown operation {}", operation);
    }
  }

  WriteDescriptor TakeWrite() {
    WriteDescriptor w{.column = Signed(),
                      .id = Word(),
                      .argument = Word(),
                      .offset = Wide(),
                      .bytes = Wide(),
                      .pattern = {.engine = Engine::kShim}};
    w.pattern.sends = Flag();
    w.pattern.element_bytes = Word();
    w.pattern.iteration = TakeDim();
    const std::uint32_t dims = Word();
    if (dims > kMaxDims) Bad(at_ - 1, "{} dimensions", dims);
    for (std::uint32_t i = 0; i < dims; ++i) w.pattern.dims.push_back(TakeDim());
    return w;
  }

  Dim TakeDim() {
    return {.count = Wide(), .step = Wide(), .zeros_before = Word(), .zeros_after = Word()};
  }

  std::uint32_t Word() {
    if (at_ >= end_) Bad(at_, "the instruction ends early");
    return words_[at_++];
  }
  std::int32_t Signed() { return static_cast<std::int32_t>(Word()); }
  // Sizes and steps; the bound keeps products of a few of them from wrapping around.
  std::uint64_t Wide() {
    const std::uint64_t low = Word();
    const std::uint64_t value = low | (std::uint64_t{Word()} << 32);
    if (value > kMaxWide) Bad(at_ - 2, "size or step {} > {}", value, kMaxWide);
    return value;
  }
  bool Flag() {
    const std::uint32_t value = Word();
    if (value > 1) Bad(at_ - 1, "flag {}, not 0 or 1", value);
    return value == 1;
  }
  Tile Place() { return {.col = Signed(), .row = Signed()}; }

  static constexpr std::uint64_t kMaxWide = std::uint64_t{1} << 36;
  std::span<const std::uint32_t> words_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
};

}  // namespace

Fit CheckInstruction(const Instruction& instruction) {
  return std::visit([](const auto& one) { return Check(one); }, instruction);
}

std::vector<std::uint32_t> EncodeInstructions(std::span<const Instruction> instructions) {
  return Encoder().Encode(instructions);
}

std::vector<Instruction> DecodeInstructions(std::span<const std::uint32_t> words) {
  return Decoder(words).Decode();
}

}  // namespace xdna::device
