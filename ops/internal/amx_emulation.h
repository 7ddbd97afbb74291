// AMX's instructions on machines that lack them, for tests of code that uses them: what the
// processor refuses is done by a signal handler.
#ifndef OPS_INTERNAL_AMX_EMULATION_H_
#define OPS_INTERNAL_AMX_EMULATION_H_

#include <signal.h>

namespace xdna::ops {

// While this lives the process can run ldtilecfg, tilerelease, tilezero, tileloadd, tilestored,
// tdpbf16ps and tdpbusd, in one thread at a time and with all tiles of 16 rows of 64 bytes; as
// Intel's SDM describes them, volume 2. Any other instruction that is refused aborts. A machine
// that has AMX runs its own.
class EmulatedAmx {
 public:
  EmulatedAmx();
  ~EmulatedAmx();
  EmulatedAmx(const EmulatedAmx&) = delete;
  EmulatedAmx& operator=(const EmulatedAmx&) = delete;

 private:
  struct sigaction before_;
};

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_AMX_EMULATION_H_
