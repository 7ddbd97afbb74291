// The exceptions that XRT throws below its public headers, of the same types towards the host:
// std::runtime_error and std::system_error.
#ifndef DEVICE_SIM_XRT_ERRORS_H_
#define DEVICE_SIM_XRT_ERRORS_H_

#include <stdexcept>
#include <string>
#include <system_error>

namespace xrt_core {

class error : public std::runtime_error {
 public:
  error(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
  int get_code() const { return code_; }

 private:
  int code_;
};

class system_error : public std::system_error {
 public:
  system_error(int code, const std::string& what)
      : std::system_error(code, std::system_category(), what) {}
};

}  // namespace xrt_core

#endif  // DEVICE_SIM_XRT_ERRORS_H_
