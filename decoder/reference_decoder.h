// The decoder in float64, plain and slow: judges what has no golden.
#ifndef DECODER_REFERENCE_DECODER_H_
#define DECODER_REFERENCE_DECODER_H_

#include <span>

#include "base/tensor.h"
#include "encoder/weights/model.h"

namespace xdna::decoder {

// Logits [tokens.size(), n_vocab] f64 of what follows each token, for an encoder's output
// [n_audio_ctx,d] f32. No caches: every product over all tokens at once. Takes a second for a
// dozen tokens and Whisper base.
Tensor ReferenceLogits(const encoder::Model& model, const TensorView& encoded,
                       std::span<const int> tokens);

}  // namespace xdna::decoder

#endif  // DECODER_REFERENCE_DECODER_H_
