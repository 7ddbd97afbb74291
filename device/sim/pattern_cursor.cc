#include "device/sim/pattern_cursor.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "device/array/pattern.h"

namespace xdna::device {
namespace {

// Copies `count` runs of a size that the compiler knows.
template <std::size_t kRun>
void CopyRuns(std::byte* to, std::size_t to_step, const std::byte* from, std::size_t from_step,
              std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(to + i * to_step, from + i * from_step, kRun);
  }
}

void Copy(std::byte* to, std::size_t to_step, const std::byte* from, std::size_t from_step,
          std::size_t run, std::size_t count) {
  switch (run) {
    case 4:
      return CopyRuns<4>(to, to_step, from, from_step, count);
    case 8:
      return CopyRuns<8>(to, to_step, from, from_step, count);
    case 16:
      return CopyRuns<16>(to, to_step, from, from_step, count);
    case 32:
      return CopyRuns<32>(to, to_step, from, from_step, count);
    default:
      for (std::size_t i = 0; i < count; ++i) {
        std::memmove(to + i * to_step, from + i * from_step, run);
      }
  }
}

}  // namespace

std::size_t PatternWalk::runs() const {
  std::size_t n = 1;
  for (const Level& level : levels) n *= level.count;
  return n;
}

PatternWalk MakeWalk(const Pattern& pattern, std::size_t bytes) {
  PatternWalk walk;
  if (pattern.dims.empty()) {
    walk.run = bytes;
    return walk;
  }
  walk.run = pattern.element_bytes;
  std::size_t inner = walk.run;
  for (std::size_t i = pattern.dims.size(); i-- > 0;) {
    const Dim& dim = pattern.dims[i];
    const bool zeros = dim.zeros_before != 0 || dim.zeros_after != 0;
    const std::size_t step = dim.step * pattern.element_bytes;
    if (walk.levels.empty() && !zeros && (dim.count == 1 || step == walk.run)) {
      walk.run *= dim.count;
      inner = walk.run;
      continue;
    }
    walk.levels.push_back({dim.count, step, dim.zeros_before, dim.zeros_after, inner});
    inner *= dim.count + dim.zeros_before + dim.zeros_after;
  }
  std::reverse(walk.levels.begin(), walk.levels.end());
  return walk;
}

PatternCursor::Block PatternCursor::Next(std::size_t bytes) const {
  std::size_t at = position_;
  std::byte* memory = memory_;
  for (std::size_t i = 0; i < walk_->levels.size(); ++i) {
    const PatternWalk::Level& level = walk_->levels[i];
    const std::size_t step = at / level.inner;
    at -= step * level.inner;
    if (step < level.before || step >= level.before + level.count) {
      const std::size_t end =
          step < level.before ? level.before : level.before + level.count + level.after;
      return {nullptr, std::min(bytes, (end - step) * level.inner - at), 0, 1};
    }
    const std::size_t index = step - level.before;
    memory += index * level.step;
    if (i + 1 == walk_->levels.size() && at == 0 && bytes >= walk_->run) {
      return {memory, walk_->run, level.step, std::min(level.count - index, bytes / walk_->run)};
    }
  }
  return {memory + at, std::min(bytes, walk_->run - at), 0, 1};
}

std::byte* PatternCursor::Piece(std::size_t bytes) {
  const Block block = Next(bytes);
  if (block.memory == nullptr || block.run != bytes) return nullptr;
  position_ += bytes;
  return block.memory;
}

void PatternCursor::Read(std::byte* to, std::size_t bytes) {
  while (bytes > 0) {
    const Block block = Next(bytes);
    const std::size_t size = block.run * block.count;
    if (block.memory == nullptr) {
      std::memset(to, 0, size);
    } else {
      Copy(to, block.run, block.memory, block.step, block.run, block.count);
    }
    to += size;
    bytes -= size;
    position_ += size;
  }
}

void PatternCursor::Write(const std::byte* from, std::size_t bytes) {
  while (bytes > 0) {
    const Block block = Next(bytes);
    const std::size_t size = block.run * block.count;
    Copy(block.memory, block.step, from, block.run, block.run, block.count);
    from += size;
    bytes -= size;
    position_ += size;
  }
}

}  // namespace xdna::device
