#include "ops/internal/amx_emulation.h"

#include <signal.h>
#include <ucontext.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/bf16.h"

namespace xdna::ops {
namespace {

using Tile = std::array<std::array<std::uint32_t, 16>, 16>;

thread_local bool configured = false;
thread_local std::array<Tile, 8> tiles;

// Products of bf16: subnormals count as 0.
float Flushed(std::uint32_t bits) {
  const float value = Bf16{static_cast<std::uint16_t>(bits)}.ToFloat();
  return std::fpclassify(value) == FP_SUBNORMAL ? 0 : value;
}

// Sums of even and of odd products apart, each rounded to f32.
std::uint32_t DotBf16(std::uint32_t sum, const Tile& a, const Tile& b, int m, int n) {
  float even = 0;
  float odd = 0;
  for (int k = 0; k < 16; ++k) {
    even = std::fmaf(Flushed(a[m][k]), Flushed(b[k][n]), even);
    odd = std::fmaf(Flushed(a[m][k] >> 16), Flushed(b[k][n] >> 16), odd);
  }
  return std::bit_cast<std::uint32_t>(std::bit_cast<float>(sum) + (even + odd));
}

std::uint32_t DotInt8(std::uint32_t sum, const Tile& a, const Tile& b, int m, int n) {
  for (int k = 0; k < 16; ++k) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      const auto x = static_cast<std::uint8_t>(a[m][k] >> shift);
      const auto y = static_cast<std::int8_t>(b[k][n] >> shift);
      sum += static_cast<std::uint32_t>(x * y);
    }
  }
  return sum;
}

template <typename Dot>
void Multiply(Dot dot, int sum, int a, int b) {
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 16; ++n) {
      tiles[sum][m][n] = dot(tiles[sum][m][n], tiles[a], tiles[b], m, n);
    }
  }
}

// An instruction: VEX of three bytes, opcode, ModRM, and with memory SIB and displacement (Intel
// SDM volume 2, chapter 2).
class Instruction {
 public:
  explicit Instruction(ucontext_t* context) : registers_(context->uc_mcontext.gregs) {
    bytes_ = reinterpret_cast<const std::uint8_t*>(registers_[REG_RIP]);
    if (bytes_[0] != 0xC4 || (bytes_[1] & 0x1F) != 2) std::abort();  // of the map 0F38
    if (mod() == 3) return;
    if (mod() == 0 && rm() == 5) std::abort();  // relative to RIP: compilers have it on the stack
    ReadAddress();
  }

  void Run() {
    enum : unsigned { kNone, k66, kF3, kF2 };
    const unsigned prefix = bytes_[2] & 3;
    const unsigned opcode = bytes_[3];
    const bool configures = opcode == 0x49 && prefix == kNone;
    if (!configures && !configured) std::abort();
    if (configures) {
      mod() == 3 ? void(configured = false) : Configure();
    } else if (opcode == 0x49 && prefix == kF2) {
      tiles[reg()] = {};
    } else if (opcode == 0x4B && prefix == kF2) {
      for (int r = 0; r < 16; ++r) std::memcpy(&tiles[reg()][r], base_ + r * stride_, 64);
    } else if (opcode == 0x4B && prefix == kF3) {
      for (int r = 0; r < 16; ++r) std::memcpy(base_ + r * stride_, &tiles[reg()][r], 64);
    } else if (opcode == 0x5C && prefix == kF3) {
      Multiply(DotBf16, reg(), rm(), other());
    } else if (opcode == 0x5E && prefix == k66) {
      Multiply(DotInt8, reg(), rm(), other());
    } else {
      std::abort();
    }
    registers_[REG_RIP] += size_;
  }

 private:
  int mod() const { return bytes_[4] >> 6; }
  int reg() const { return bytes_[4] >> 3 & 7; }
  int rm() const { return bytes_[4] & 7; }
  int other() const { return ~bytes_[2] >> 3 & 7; }

  std::int64_t Register(int number) const {
    constexpr int kOrder[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                              REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                              REG_R12, REG_R13, REG_R14, REG_R15};
    return registers_[kOrder[number]];
  }

  void ReadAddress() {
    const int high_base = (bytes_[1] & 0x20) == 0 ? 8 : 0;
    const int high_index = (bytes_[1] & 0x40) == 0 ? 8 : 0;
    int base = rm();
    if (rm() == 4) {
      const std::uint8_t sib = bytes_[5];
      size_ = 6;
      base = sib & 7;
      if (mod() == 0 && base == 5) std::abort();  // no base at all
      const int index = (sib >> 3 & 7) + high_index;
      if (index != 4) stride_ = Register(index) << (sib >> 6);
    }
    std::int64_t address = Register(base + high_base);
    if (mod() == 1) {
      address += static_cast<std::int8_t>(bytes_[size_]);
      size_ += 1;
    } else if (mod() == 2) {
      std::int32_t displacement = 0;
      std::memcpy(&displacement, bytes_ + size_, sizeof displacement);
      address += displacement;
      size_ += 4;
    }
    base_ = reinterpret_cast<std::byte*>(address);
  }

  // Palette 1, and 16 rows of 64 bytes in each of 8 tiles.
  void Configure() const {
    if (base_[0] != std::byte{1}) std::abort();
    for (int tile = 0; tile < 8; ++tile) {
      if (base_[16 + 2 * tile] != std::byte{64} || base_[48 + tile] != std::byte{16}) std::abort();
    }
    configured = true;
    tiles = {};
  }

  greg_t* registers_;
  const std::uint8_t* bytes_;
  int size_ = 5;
  std::byte* base_ = nullptr;
  std::int64_t stride_ = 0;
};

void Handle(int, siginfo_t*, void* context) {
  Instruction(static_cast<ucontext_t*>(context)).Run();
}

}  // namespace

EmulatedAmx::EmulatedAmx() {
  struct sigaction action = {};
  action.sa_sigaction = Handle;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, &before_);
}

EmulatedAmx::~EmulatedAmx() { sigaction(SIGILL, &before_, nullptr); }

}  // namespace xdna::ops
