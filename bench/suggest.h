// Help for a mistyped name.
#ifndef BENCH_SUGGEST_H_
#define BENCH_SUGGEST_H_

#include <string>
#include <string_view>
#include <vector>

namespace xdna::bench {

// " did you mean 'm'?" where one of `known` is near `name`, then " known: m k n".
std::string Suggest(std::string_view name, const std::vector<std::string>& known);

// `text` in quotes as a one-line message shows it: shortened, and with anything
// unprintable replaced.
std::string Quoted(std::string_view text);

}  // namespace xdna::bench

#endif  // BENCH_SUGGEST_H_
