#include <algorithm>
#include <cstddef>
#include <vector>

#include "device/array/overlay.h"
#include "device/array/overlay_check.h"
#include "device/array/pattern.h"

namespace xdna::device::internal {
namespace {

constexpr int kMaxLoops = 8;  // around a statement

// A core reaches its own memory and locks and those of the cores to the west, north and south
// (mlir-aie AIETargetModel.cpp, isLegalMemAffinity).
bool CoreReaches(Tile core, Tile tile) {
  if (tile.engine() != Engine::kCore) return false;
  const int east = tile.col - core.col;
  const int north = tile.row - core.row;
  return (east == 0 && north >= -1 && north <= 1) || (east == -1 && north == 0);
}

// Walks a program with the number of objects that each port holds.
class ProgramCheck {
 public:
  ProgramCheck(const Overlay& overlay, const Program& program)
      : overlay_(overlay), program_(program), held_(program.ports.size()) {}

  Fit Check() {
    if (program_.program_bytes > kTileProgramBytes) {
      return No("program of {} B > {} B", program_.program_bytes, kTileProgramBytes);
    }
    for (const Port& port : program_.ports) {
      if (Fit fit = CheckPort(port); !fit) return No("port {}: {}", port.name, fit.reason);
    }
    return Body(program_.body, 0);
  }

 private:
  Fit CheckLock(int index) const {
    if (!Leads(index, overlay_.locks)) return No("there is no lock {}", index);
    const Lock& lock = overlay_.locks[static_cast<std::size_t>(index)];
    if (CoreReaches(program_.tile, lock.tile)) return {};
    return No("lock {} on {} is out of the core's reach", lock.name, lock.tile.name());
  }

  Fit CheckBuffer(int index) const {
    if (!Leads(index, overlay_.buffers)) return No("there is no buffer {}", index);
    const Buffer& buffer = overlay_.buffers[static_cast<std::size_t>(index)];
    if (CoreReaches(program_.tile, buffer.tile)) return {};
    return No("buffer {} on {} is out of the core's reach", buffer.name, buffer.tile.name());
  }

  Fit CheckPort(const Port& port) const {
    if (port.buffers.empty()) return No("it has no buffers");
    for (const int buffer : port.buffers) {
      if (Fit fit = CheckBuffer(buffer); !fit) return fit;
    }
    if (Fit fit = CheckLock(port.acquire); !fit) return fit;
    return CheckLock(port.release);
  }

  // Once for the first pass and once for all later ones, in which objects may be held already.
  Fit Body(const std::vector<Statement>& body, int loops) {
    const std::vector<int> before = held_;
    for (int pass = 0; pass < 2; ++pass) {
      for (const Statement& statement : body) {
        if (Fit fit = CheckStatement(statement, loops); !fit) return fit;
      }
    }
    // A loop may run no times.
    for (std::size_t i = 0; i < held_.size(); ++i) held_[i] = std::min(held_[i], before[i]);
    return {};
  }

  Fit CheckStatement(const Statement& s, int loops) {
    switch (s.kind) {
      case Statement::Kind::kAcquire:
      case Statement::Kind::kRelease:
        return CheckObjects(s);
      case Statement::Kind::kAcquireLock:
      case Statement::Kind::kReleaseLock:
        if (s.count < 1 || s.count > static_cast<int>(kLockMax)) {
          return No("a lock by {}, not 1 to {}", s.count, kLockMax);
        }
        return CheckLock(s.index);
      case Statement::Kind::kCall:
        for (std::size_t i = 0; i < s.arguments.size(); ++i) {
          if (Fit fit = CheckArgument(s.arguments[i], loops); !fit) {
            return No("argument {} of {}: {}", i, s.kernel, fit.reason);
          }
        }
        return {};
      case Statement::Kind::kLoop:
        if (loops == kMaxLoops) return No("more than {} loops in one another", kMaxLoops);
        if (s.times.kind == Value::Kind::kConstant && s.times.number < 0) {
          return No("a loop of {} times", s.times.number);
        }
        if (Fit fit = CheckValue(s.times, loops); !fit) return fit;
        return Body(s.body, loops + 1);
    }
    return {};
  }

  Fit CheckObjects(const Statement& s) {
    if (!Leads(s.index, program_.ports)) return No("there is no port {}", s.index);
    const Port& port = program_.ports[static_cast<std::size_t>(s.index)];
    int& held = held_[static_cast<std::size_t>(s.index)];
    if (s.count < 1 || static_cast<std::size_t>(s.count) > port.buffers.size()) {
      return No("{} objects of port {}, which has {}", s.count, port.name, port.buffers.size());
    }
    if (s.kind == Statement::Kind::kAcquire) {
      held += s.count;
    } else if (held < s.count) {
      return No("releases {} objects of port {} where {} are acquired", s.count, port.name, held);
    } else {
      held -= s.count;
    }
    return {};
  }

  Fit CheckArgument(const Argument& a, int loops) const {
    switch (a.kind) {
      case Argument::Kind::kNumber:
        return CheckValue(a.number, loops);
      case Argument::Kind::kBuffer:
        if (Fit fit = CheckBuffer(a.index); !fit) return fit;
        return CheckOffset(a.offset, a.index);
      case Argument::Kind::kObject:
        return CheckObject(a);
      case Argument::Kind::kNull:
        return {};
    }
    return {};
  }

  Fit CheckOffset(std::size_t offset, int index) const {
    const Buffer& buffer = overlay_.buffers[static_cast<std::size_t>(index)];
    if (offset < buffer.bytes) return {};
    return No("offset {} >= {} bytes of buffer {}", offset, buffer.bytes, buffer.name);
  }

  Fit CheckObject(const Argument& a) const {
    if (!Leads(a.index, program_.ports)) return No("there is no port {}", a.index);
    const Port& port = program_.ports[static_cast<std::size_t>(a.index)];
    const int held = held_[static_cast<std::size_t>(a.index)];
    if (a.object < 0 || a.object >= held) {
      return No("object {} of port {} is not acquired: {} are", a.object, port.name, held);
    }
    for (const int buffer : port.buffers) {
      if (Fit fit = CheckOffset(a.offset, buffer); !fit) return fit;
    }
    return {};
  }

  Fit CheckValue(const Value& value, int loops) const {
    switch (value.kind) {
      case Value::Kind::kConstant:
        return {};
      case Value::Kind::kRtp:
        if (value.number >= 0 && static_cast<unsigned>(value.number) < program_.rtps) return {};
        return No("there is no parameter {}: the program has {}", value.number, program_.rtps);
      case Value::Kind::kFirst:
      case Value::Kind::kLast:
      case Value::Kind::kIndex:
        if (value.number >= 0 && value.number < loops) return {};
        return No("there is no loop {} levels out", value.number);
    }
    return {};
  }

  const Overlay& overlay_;
  const Program& program_;
  std::vector<int> held_;
};

}  // namespace

Fit CheckPrograms(const Overlay& overlay) {
  for (const Program& program : overlay.programs) {
    if (Fit fit = ProgramCheck(overlay, program).Check(); !fit) {
      return No("{}: {}", program.tile.name(), fit.reason);
    }
  }
  return {};
}

}  // namespace xdna::device::internal
