// What the simulated device did when, in virtual time.
#ifndef DEVICE_SIM_TRACE_H_
#define DEVICE_SIM_TRACE_H_

#include "base/timeline.h"

namespace xdna::device {

class Trace : public Timeline {
 public:
  Trace() : Timeline("modelled") {}
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_TRACE_H_
