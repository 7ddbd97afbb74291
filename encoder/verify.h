// Is an encoder's output right? The limits, and the references to hold it against.
#ifndef ENCODER_VERIFY_H_
#define ENCODER_VERIFY_H_

#include <cstdint>
#include <functional>
#include <string>

#include "base/tensor.h"
#include "encoder/audio/audio.h"
#include "encoder/graph.h"
#include "encoder/weights/model.h"
#include "golden/compare.h"
#include "ops/contract.h"

namespace xdna::encoder {

// Limits for the whole encoder's output, whatever the audio. Its values hold
// outliers of over 100 times the median, so the judges are the relative L2 error
// and the cosine, not single values.
golden::Tolerance OutputTolerance(ops::Precision precision);

// What a window's output should be.
struct Reference {
  Tensor output;       // [positions,d], f32 or f64
  std::string source;  // "golden/encoder_whisper_base.h5" or "float64, computed here"
};

// The golden of this very model, speech and shape if there is one among the
// runfiles; else the encoder in float64, which takes about ten seconds for a window
// of Whisper base and reports its progress.
Reference FindReference(const Model& model, const EncoderShape& shape, const Audio& audio,
                        std::int64_t window, const TensorView& mel,
                        const std::function<void(double)>& progress);

// Results of all nodes by name, from the same two sources; a golden has not every sum.
TensorMap FindReferenceTaps(const Model& model, const EncoderShape& shape, const Audio& audio,
                            std::int64_t window, const TensorView& mel,
                            const std::function<void(double)>& progress);

}  // namespace xdna::encoder

#endif  // ENCODER_VERIFY_H_
