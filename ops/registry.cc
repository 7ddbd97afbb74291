#include "ops/registry.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ops/registry_headers.inc"

namespace xdna::ops {

const std::vector<Contract>& Registry() {
  static const std::vector<Contract> registry = {
#include "ops/registry_contracts.inc"
  };
  return registry;
}

const Contract& FindOp(std::string_view name) {
  std::string known;
  for (const Contract& op : Registry()) {
    if (op.name == name) return op;
    known += fmt::format(" {}", op.name);
  }
  Throw(ErrorCode::kInvalidArgument, "no op named '{}'; there are:{}", name, known);
}

}  // namespace xdna::ops
