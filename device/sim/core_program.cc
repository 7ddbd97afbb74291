#include "device/sim/core_program.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/array/overlay.h"
#include "device/sim/kernel_table.h"

namespace xdna::device {
namespace {

class Compiler {
 public:
  Compiler(const Overlay& overlay, const Program& program) : overlay_(overlay), program_(program) {}

  std::vector<CoreOp> Compile() {
    Body(program_.body);
    ops_.push_back({.kind = CoreOp::Kind::kWrap});
    return std::move(ops_);
  }

 private:
  void Body(const std::vector<Statement>& body) {
    for (const Statement& statement : body) One(statement);
  }

  void One(const Statement& s) {
    switch (s.kind) {
      case Statement::Kind::kAcquire:
        return AddLock(CoreOp::Kind::kAcquire, s.index, PortAt(s.index).acquire, s.count);
      case Statement::Kind::kRelease:
        return AddLock(CoreOp::Kind::kRelease, s.index, PortAt(s.index).release, s.count);
      case Statement::Kind::kAcquireLock:
        return AddLock(CoreOp::Kind::kAcquire, -1, s.index, s.count);
      case Statement::Kind::kReleaseLock:
        return AddLock(CoreOp::Kind::kRelease, -1, s.index, s.count);
      case Statement::Kind::kCall:
        return AddCall(s);
      case Statement::Kind::kLoop:
        return AddLoop(s);
    }
  }

  const Port& PortAt(int index) const { return program_.ports[static_cast<std::size_t>(index)]; }

  void AddLock(CoreOp::Kind kind, int port, int lock, int count) {
    ops_.push_back(
        {.kind = kind, .input = IsInput(lock), .port = port, .lock = lock, .count = count});
  }

  // A lock that a receiving channel releases says that an object is full, one that a sending
  // channel releases that a buffer is empty. Between cores, what is free at first is empty.
  bool IsInput(int lock) const {
    for (const Descriptor& d : overlay_.descriptors) {
      if (d.release.lock == lock) return !d.pattern.sends;
    }
    return overlay_.locks[static_cast<std::size_t>(lock)].initial == 0;
  }

  void AddCall(const Statement& s) {
    CoreOp op{.kind = CoreOp::Kind::kCall, .kernel = &FindKernel(s.kernel)};
    unsigned pointers = 0;
    unsigned numbers = 0;
    for (const Argument& a : s.arguments) {
      if (a.kind == Argument::Kind::kNumber) {
        ++numbers;
        continue;
      }
      if (a.kind == Argument::Kind::kNull) op.nulls |= 1u << std::min(pointers, 31u);
      ++pointers;
    }
    if (pointers != op.kernel->pointers || numbers != op.kernel->numbers) {
      Throw(ErrorCode::kInvalidArgument,
            "overlay {}: {}: kernel {} takes {} pointers and {} numbers, not {} and {}",
            overlay_.name, program_.tile.name(), s.kernel, op.kernel->pointers, op.kernel->numbers,
            pointers, numbers);
    }
    op.arguments = s.arguments;
    ops_.push_back(std::move(op));
  }

  void AddLoop(const Statement& s) {
    const std::size_t begin = ops_.size();
    ops_.push_back({.kind = CoreOp::Kind::kLoop, .times = s.times});
    Body(s.body);
    ops_.push_back({.kind = CoreOp::Kind::kLoopEnd, .target = begin + 1});
    ops_[begin].target = ops_.size();
  }

  const Overlay& overlay_;
  const Program& program_;
  std::vector<CoreOp> ops_;
};

}  // namespace

std::vector<CoreOp> CompileProgram(const Overlay& overlay, const Program& program) {
  return Compiler(overlay, program).Compile();
}

std::int32_t ValueOf(const Value& value, std::span<const std::int32_t> rtps,
                     std::span<const LoopState> loops) {
  const auto loop = [&]() -> const LoopState& {
    return loops[loops.size() - 1 - static_cast<std::size_t>(value.number)];
  };
  switch (value.kind) {
    case Value::Kind::kConstant:
      return value.number;
    case Value::Kind::kRtp:
      return rtps[static_cast<std::size_t>(value.number)];
    case Value::Kind::kFirst:
      return loop().index == 0 ? 1 : 0;
    case Value::Kind::kLast:
      return loop().index + 1 == loop().times ? 1 : 0;
    case Value::Kind::kIndex:
      return loop().index;
  }
  return 0;
}

}  // namespace xdna::device
