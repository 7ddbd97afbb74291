#include "device/container/kernel_set.h"

#include <map>

#include "base/error.h"

namespace xdna::device {
namespace {

using Uses = std::map<std::string, KernelUse>;

void Add(const Statement& call, Uses& uses) {
  KernelUse use{.name = call.kernel};
  for (const Argument& argument : call.arguments) {
    ++(argument.kind == Argument::Kind::kNumber ? use.numbers : use.pointers);
  }
  const auto [found, added] = uses.try_emplace(call.kernel, use);
  if (!added && found->second != use) {
    Throw(ErrorCode::kInvalidArgument,
          "kernel {} is called with {} pointers and {} numbers, elsewhere with {} and {}",
          call.kernel, use.pointers, use.numbers, found->second.pointers, found->second.numbers);
  }
}

void Add(const std::vector<Statement>& body, Uses& uses) {
  for (const Statement& statement : body) {
    if (statement.kind == Statement::Kind::kCall) Add(statement, uses);
    Add(statement.body, uses);
  }
}

void Add(const Overlay& overlay, Uses& uses) {
  for (const Program& program : overlay.programs) Add(program.body, uses);
  for (const Overlay& alternative : overlay.alternatives) Add(alternative, uses);
}

}  // namespace

std::vector<KernelUse> KernelsOf(const Overlay& overlay) {
  Uses uses;
  Add(overlay, uses);
  std::vector<KernelUse> kernels;
  for (const auto& [name, use] : uses) kernels.push_back(use);
  return kernels;
}

}  // namespace xdna::device
