// What host code keeps from one run to the next.
#ifndef DEVICE_REUSE_H_
#define DEVICE_REUSE_H_

#include <string>
#include <string_view>

namespace xdna::device {

// Each step keeps what those before it keep.
enum class Keep {
  kNothing,   // "fresh": a context made for each call of an op, buffers for each of its runs
  kBuffers,   // "bo": the buffers are kept from run to run
  kContext,   // "context": the context too
  kRunlists,  // "runlist:N": the runs too, N of them submitted at once
};

struct Reuse {
  Keep keep = Keep::kContext;
  int runs = 1;  // per submission

  std::string name() const;  // as ParseReuse() takes it
};

inline constexpr int kMaxRunlist = 1024;

// Throws kInvalidArgument, listing what there is.
Reuse ParseReuse(std::string_view text);

}  // namespace xdna::device

#endif  // DEVICE_REUSE_H_
