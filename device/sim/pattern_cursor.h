// Moves bytes between a stream and memory through the address pattern of a descriptor.
#ifndef DEVICE_SIM_PATTERN_CURSOR_H_
#define DEVICE_SIM_PATTERN_CURSOR_H_

#include <cstddef>
#include <vector>

#include "device/array/pattern.h"

namespace xdna::device {

// A pattern in bytes, inner dimensions that lie in one piece merged into a run.
struct PatternWalk {
  struct Level {
    std::size_t count, step;    // step in bytes of memory
    std::size_t before, after;  // steps that are zeros
    std::size_t inner;          // bytes of the stream per step
  };
  std::size_t run = 0;             // bytes
  std::vector<Level> levels = {};  // outermost first
  std::size_t runs() const;        // pieces of memory that an execution touches
};

// No dims: `bytes` in order.
PatternWalk MakeWalk(const Pattern& pattern, std::size_t bytes);

// A place in one execution of a descriptor.
class PatternCursor {
 public:
  // Memory is not touched before Read() or Write(); the walk must outlive the cursor.
  void Start(const PatternWalk* walk, std::byte* memory) {
    walk_ = walk;
    memory_ = memory;
    position_ = 0;
  }

  // The next `bytes`, and past them; null where they don't lie in one piece, and stays.
  std::byte* Piece(std::size_t bytes);
  // The next `bytes` of the stream from memory, inserted zeros included.
  void Read(std::byte* to, std::size_t bytes);
  // Into memory; the walk has no zeros.
  void Write(const std::byte* from, std::size_t bytes);

 private:
  // Equal runs at equal distances; null memory: zeros.
  struct Block {
    std::byte* memory;
    std::size_t run, step, count;
  };
  // At most `bytes` from here on.
  Block Next(std::size_t bytes) const;

  const PatternWalk* walk_ = nullptr;
  std::byte* memory_ = nullptr;
  std::size_t position_ = 0;
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_PATTERN_CURSOR_H_
