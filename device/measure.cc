#include "device/measure.h"

namespace xdna::device {

double TimeSplit::total() const {
  return submit + buffers + sync + context_create + firmware + load + context_switch + wake +
         array + failed + idle;
}

TimeSplit TimeSplit::operator-(const TimeSplit& earlier) const {
  return {.submit = submit - earlier.submit,
          .buffers = buffers - earlier.buffers,
          .sync = sync - earlier.sync,
          .context_create = context_create - earlier.context_create,
          .firmware = firmware - earlier.firmware,
          .load = load - earlier.load,
          .context_switch = context_switch - earlier.context_switch,
          .wake = wake - earlier.wake,
          .array = array - earlier.array,
          .failed = failed - earlier.failed,
          .idle = idle - earlier.idle};
}

}  // namespace xdna::device
