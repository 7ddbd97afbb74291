#include "device/sim/kernel_table.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace xdna::device {
namespace {

// Filled before main() and by tests; entries stay where they are.
using Table = std::map<std::string, Kernel, std::less<>>;
Table& TheTable() {
  static auto* table = new Table;
  return *table;
}

// Levenshtein's distance.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

void RegisterKernel(const Kernel& kernel) {
  if (!kernel.run || !kernel.cycles) {
    Throw(ErrorCode::kInvalidArgument, "kernel {}: it lacks its body or its cycles", kernel.name);
  }
  if (!TheTable().try_emplace(kernel.name, kernel).second) {
    Throw(ErrorCode::kInvalidArgument, "kernel {} is in the table already", kernel.name);
  }
}

const Kernel& FindKernel(std::string_view name) {
  const Table& table = TheTable();
  if (const auto found = table.find(name); found != table.end()) return found->second;
  const auto nearest =
      std::min_element(table.begin(), table.end(), [&](const auto& a, const auto& b) {
        return Distance(name, a.first) < Distance(name, b.first);
      });
  if (nearest == table.end()) {
    Throw(ErrorCode::kNotFound, "no kernel {}: the program has none linked in", name);
  }
  Throw(ErrorCode::kNotFound, "no kernel {}; the nearest is {}", name, nearest->first);
}

std::vector<std::string> KernelNames() {
  std::vector<std::string> names;
  for (const auto& [name, kernel] : TheTable()) names.push_back(name);
  return names;
}

}  // namespace xdna::device
