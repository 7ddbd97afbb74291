// The encoder in float64 by the ops' own references: slow, plain, and the judge of
// audio and models that have no golden.
#ifndef ENCODER_REFERENCE_ENCODER_H_
#define ENCODER_REFERENCE_ENCODER_H_

#include <functional>
#include <string>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "encoder/graph.h"
#include "encoder/weights/model.h"

namespace xdna::encoder {

// Every node's result (f64) by name, for `mel` [n_mels,frames] f32. `progress`, if
// any, is called with the share of the work that is done.
TensorMap RunReference(const Model& model, const EncoderShape& shape, const TensorView& mel,
                       const std::function<void(double)>& progress = {});

}  // namespace xdna::encoder

#endif  // ENCODER_REFERENCE_ENCODER_H_
