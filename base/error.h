// The project's one error type. It is an exception because every library that
// the host code stands on (XRT, oneDNN, fmt, CLI11, nlohmann/json) reports that
// way, so a second, parallel status type would only be converted to and fro.
#ifndef BASE_ERROR_H_
#define BASE_ERROR_H_

#include <fmt/core.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace xdna {

enum class ErrorCode {
  kInvalidArgument,  // the caller asked for something that makes no sense
  kNotFound,         // a file, dataset or name does not exist
  kCorrupt,          // input exists but does not hold what it claims
  kUnsupported,      // valid, but this build or machine can't do it
  kUnavailable,      // a resource can't be had now (network, device, disk)
  kInternal,         // a promise of this program was broken
};

// A message for the user: what was wrong, what was found, what would be right.
// Context is put in front as the error passes up ("file: tensor: message").
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // The same error with "context: " before its message.
  Error In(std::string_view context) const;

 private:
  ErrorCode code_;
  std::string message_;
};

// Throws Error with a formatted message.
template <typename... Args>
[[noreturn]] void Throw(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

// Runs `body`; an Error that leaves it carries `context` in front.
template <typename Body>
auto WithContext(std::string_view context, Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Error& error) {
    throw error.In(context);
  }
}

}  // namespace xdna

#endif  // BASE_ERROR_H_
