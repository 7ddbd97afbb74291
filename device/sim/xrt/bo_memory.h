// A buffer's memory: the host's copy and the device's, which only a sync makes equal, each between
// guard bands.
#ifndef DEVICE_SIM_XRT_BO_MEMORY_H_
#define DEVICE_SIM_XRT_BO_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace xdna::device {

inline constexpr std::size_t kPageBytes = 4096;

// Fills with kPoison, one after the other.
void FillPoison(std::span<std::byte> bytes);

// Page-aligned memory between two guard bands of a page.
class GuardedMemory {
 public:
  explicit GuardedMemory(std::size_t bytes);

  std::span<std::byte> bytes() { return {data_.get() + kPageBytes, bytes_}; }
  // Empty, or where the first damaged guard byte is.
  std::string Damage() const;
  void Repair();

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::span<std::byte> Front() const { return {data_.get(), kPageBytes}; }
  std::span<std::byte> Back() const { return {data_.get() + kPageBytes + bytes_, kPageBytes}; }

  std::size_t bytes_;
  std::unique_ptr<std::byte[], Free> data_;
};

struct BoMemory {
  // Zeros for the host, poison for the device.
  explicit BoMemory(std::size_t size) : bytes(size), host(size), device(size) {
    FillPoison(device.bytes());
  }

  std::size_t bytes;
  GuardedMemory host;
  GuardedMemory device;
  std::uint64_t address = 0;     // the device's
  std::uint32_t flags = 0;       // xrt::bo::flags
  std::uint32_t group = 0;       // the memory group that it was made in
  int in_flight = 0;             // runs that use it and have not been waited for
  bool skip_next_read = false;   // the fault "stale"
  std::uint64_t failed_run = 0;  // the run that should have written it last, if that failed
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_XRT_BO_MEMORY_H_
