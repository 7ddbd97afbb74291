#include "device/reuse.h"

#include <fmt/format.h>

#include <charconv>

#include "base/error.h"

namespace xdna::device {

std::string Reuse::name() const {
  switch (keep) {
    case Keep::kNothing:
      return "fresh";
    case Keep::kBuffers:
      return "bo";
    case Keep::kContext:
      return "context";
    case Keep::kRunlists:
      break;
  }
  return fmt::format("runlist:{}", runs);
}

Reuse ParseReuse(std::string_view text) {
  constexpr std::string_view kRunlist = "runlist:";
  if (text == "fresh") return {Keep::kNothing, 1};
  if (text == "bo") return {Keep::kBuffers, 1};
  if (text == "context") return {Keep::kContext, 1};
  if (text.starts_with(kRunlist)) {
    const std::string_view number = text.substr(kRunlist.size());
    int runs = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), runs);
    if (error == std::errc() && end == number.data() + number.size() && runs >= 1 &&
        runs <= kMaxRunlist) {
      return {Keep::kRunlists, runs};
    }
  }
  Throw(ErrorCode::kInvalidArgument,
        "reuse '{}': not one of fresh, bo, context, runlist:N (N from 1 to {})", text, kMaxRunlist);
}

}  // namespace xdna::device
