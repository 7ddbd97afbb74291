#include "decoder/verify.h"

namespace xdna::decoder {

golden::Tolerance LogitsTolerance(ops::Precision precision) {
  golden::Tolerance t;
  t.absolute = golden::kNoLimit;
  switch (precision) {
    case ops::Precision::kF32:
      t.rel_l2 = 1e-5;
      t.provenance = "1e-5, as the encoder's: 170 roundings of 2^-24 in a row, all one way";
      break;
    case ops::Precision::kBf16:
      t.rel_l2 = 1e-2;
      t.provenance =
          "1e-2: rounding weights, keys and values costs up to 2^-9 in each product; five times "
          "that, for errors that add up over the layers";
      break;
    case ops::Precision::kInt8:
    case ops::Precision::kMixed:
      t.rel_l2 = 4.5e-2;
      t.provenance =
          "4.5e-2: a channel's weights are rounded to max/127, 9e-3 of their root mean square if "
          "normal with a maximum of 4 deviations; five times that, as in bf16";
      break;
  }
  t.cosine = 1 - t.rel_l2 * t.rel_l2;
  return t;
}

}  // namespace xdna::decoder
