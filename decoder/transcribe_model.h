// What a model's folder says beside its weights.
#ifndef DECODER_TRANSCRIBE_MODEL_H_
#define DECODER_TRANSCRIBE_MODEL_H_

#include <optional>
#include <string>
#include <vector>

#include "decoder/decoder.h"
#include "encoder/weights/geometry.h"

namespace xdna::decoder {

struct ModelSettings {
  // Heads of the cross-attention that follow the speech, for word time stamps. Where the folder
  // does not say, all heads of the later half of the layers (openai-whisper, model.py).
  std::vector<CrossHead> alignment_heads;
  // Tokens that are not to be sampled, if the folder says so.
  std::optional<std::vector<int>> suppress;
};

// From CTranslate2's config.json ("alignment_heads", "suppress_ids") or Hugging Face's
// generation_config.json ("alignment_heads", "suppress_tokens") beside the file `model_path`.
// Throws kCorrupt, with the file and the field, for what can't be meant.
ModelSettings ReadModelSettings(const std::string& model_path, const encoder::Geometry& geometry);

}  // namespace xdna::decoder

#endif  // DECODER_TRANSCRIBE_MODEL_H_
