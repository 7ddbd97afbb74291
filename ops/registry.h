// All ops, made from ops/registry.bzl.
#ifndef OPS_REGISTRY_H_
#define OPS_REGISTRY_H_

#include <string_view>
#include <vector>

#include "ops/contract.h"

namespace xdna::ops {

const std::vector<Contract>& Registry();

// Throws kInvalidArgument, listing what there is.
const Contract& FindOp(std::string_view name);

}  // namespace xdna::ops

#endif  // OPS_REGISTRY_H_
