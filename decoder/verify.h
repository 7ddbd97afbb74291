// Are a decoder's results right?
#ifndef DECODER_VERIFY_H_
#define DECODER_VERIFY_H_

#include "golden/compare.h"
#include "ops/contract.h"

namespace xdna::decoder {

// Limits for logits, and for whatever is computed on the way to them. Single logits may be the
// difference of large numbers, so the judges are the relative L2 error and the cosine.
golden::Tolerance LogitsTolerance(ops::Precision precision);

}  // namespace xdna::decoder

#endif  // DECODER_VERIFY_H_
