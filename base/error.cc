#include "base/error.h"

namespace xdna {

Error Error::In(std::string_view context) const {
  return Error(code_, fmt::format("{}: {}", context, message_));
}

}  // namespace xdna
